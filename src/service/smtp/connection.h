// One connection to a server: moves octets between a socket, the content of the message and the protocol
// engine, and decides nothing.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/unique_fd.h"
#include "mail/content_source.h"
#include "protocol/smtp/client.h"
#include "service/smtp/itinerary.h"

namespace sternpost::smtp_client {

using SteadyTime = std::chrono::steady_clock::time_point;

class Connection;

/// What connections share. Everything is called on the loop, never from inside a call of the host.
class ConnectionHost {
 public:
  virtual ~ConnectionHost() = default;

  /// The connection stands. False where it is not wanted: its delivery has then failed.
  virtual bool reached(Connection& connection) = 0;
  /// The result of the delivery in hand. The connection may be used again if it is idle().
  virtual void finished(Connection& connection, smtp::Finished&& result) = 0;
  /// The connection is closed, after its last result. It may be destroyed when the call chain has ended.
  virtual void closed(Connection& connection) = 0;
  /// Where input is read to, by one connection at a time; the engine keeps what it needs.
  virtual std::span<char> read_buffer() = 0;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  /// `limits` must outlive the connection.
  Connection(boost::asio::io_context& loop, ConnectionHost& host, std::uint64_t number, Endpoint endpoint,
             const smtp::ClientLimits& limits);

  /// Begins to connect, within `patience`.
  void open(std::chrono::seconds patience);
  /// A socket that is connected already comes by adopt(), within `patience`.
  void await_socket(std::chrono::seconds patience);
  /// Takes that socket; none where it could not be connected, with the reason.
  void adopt(UniqueFd socket, std::string_view refused = {});
  /// Only while idle(); also before the connection stands. The content is borrowed until the host is given
  /// the result.
  void deliver(smtp::Delivery delivery, mail::ContentSource& content);
  /// No more deliveries.
  void quit();
  /// Closes the connection without a word to the host, which is going away.
  void detach();
  /// Looks at deadlines.
  void sweep(SteadyTime now);

  [[nodiscard]] bool idle() const { return !closed_ && engine_.idle(); }
  [[nodiscard]] std::uint64_t number() const { return number_; }
  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }
  [[nodiscard]] std::uint32_t deliveries() const { return deliveries_; }
  [[nodiscard]] std::vector<std::string> transcript() const { return engine_.transcript(); }

  /// Whether a connection that stands has both its ends at one address.
  [[nodiscard]] bool to_this_host();
  /// Nobody was asked for the connection: this process could not have a socket for it.
  [[nodiscard]] bool failed_here() const { return failed_here_; }

  /// Since when it has had nothing to do, kept here for the host.
  SteadyTime idle_since;

 private:
  using Descriptor = boost::asio::posix::stream_descriptor;

  [[nodiscard]] int begin_connect();
  void fail_soon(int error);
  void on_connected(const boost::system::error_code& error);
  void begin();
  void pump();
  void give_content();
  bool write_output();
  void hear_last_words();
  void wait_readable();
  void wait_writable();
  void on_readable();
  void lost(int error);
  void close();

  boost::asio::io_context& loop_;
  ConnectionHost& host_;
  std::uint64_t number_;
  Endpoint endpoint_;
  smtp::Client engine_;
  mail::ContentSource* content_ = nullptr;
  Descriptor socket_;
  std::string unwritten_;
  std::size_t written_ = 0;  ///< of unwritten_
  std::uint32_t deliveries_ = 0;
  std::uint64_t progress_ = 0;
  SteadyTime last_progress_;
  std::chrono::seconds connect_patience_{};
  bool failed_here_ = false;
  bool connecting_ = false;
  bool waiting_readable_ = false;
  bool waiting_writable_ = false;
  bool pumping_ = false;
  bool closed_ = false;
};

}  // namespace sternpost::smtp_client

// One client's connection: moves octets between a socket and the protocol engine, and decides nothing.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "protocol/smtp/server.h"

namespace sternpost::smtpd {

using SteadyTime = std::chrono::steady_clock::time_point;

class Session;

/// What sessions share. Everything is called on the loop.
class SessionHost {
 public:
  virtual ~SessionHost() = default;

  /// Carries out what the engine asks for. May answer at once by calling the engine, never pump().
  virtual void act(Session& session, smtp::Action&& action) = 0;
  /// The connection is closed. The session may be destroyed when the call chain has ended.
  virtual void ended(Session& session) = 0;
  /// Where input is read to, by one session at a time; the engine keeps what it needs.
  virtual std::span<char> read_buffer() = 0;
  /// Where actions are moved while they are carried out, by one session at a time.
  virtual std::vector<smtp::Action>& action_buffer() = 0;
  /// Whether content of the session's message may be read now. Where not, the session is resumed when it may.
  [[nodiscard]] virtual bool has_room(Session& session) = 0;
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(boost::asio::io_context& loop, SessionHost& host, std::uint64_t number, UniqueFd socket,
          const smtp::ServerLimits& limits, std::string client_network, smtp::ClientFacts client);

  /// Greets the client.
  void start();
  /// After any event told to the engine: carries out its actions, writes its replies, reads on or closes.
  void pump();
  /// There is room for content again.
  void resume();
  /// Closes the connection now.
  void finish();
  /// Closes the connection without a word to the host, which is going away.
  void detach();

  [[nodiscard]] smtp::Server& engine() { return engine_; }
  [[nodiscard]] const smtp::Conversation& conversation() const { return engine_.conversation(); }
  [[nodiscard]] std::uint64_t number() const { return number_; }
  [[nodiscard]] const std::string& client_network() const { return client_network_; }
  [[nodiscard]] SteadyTime started() const { return started_; }
  /// The last time the client said something, that we began to wait for its close, or that we went on after
  /// waiting for room.
  [[nodiscard]] SteadyTime last_activity() const { return last_activity_; }
  [[nodiscard]] bool lingering() const { return lingering_; }
  [[nodiscard]] bool finished() const { return finished_; }
  /// Replies that the client has not taken.
  [[nodiscard]] bool stalled() const { return !unwritten_.empty(); }
  /// Content is not read until spool has taken some: the client is not to blame for its silence.
  [[nodiscard]] bool waits_for_room() const { return waits_for_room_; }
  /// Once finished: the client went away in a transaction.
  [[nodiscard]] bool broken_off() const { return broken_off_; }

  /// Which lease the message in hand has its id from; kept here for the host.
  std::uint32_t lease_epoch = 0;

 private:
  void carry_out_actions();
  void write_replies();
  void wait_writable();
  [[nodiscard]] bool may_read();
  void wait_readable();
  void on_readable();
  void begin_linger();

  boost::asio::posix::stream_descriptor socket_;
  SessionHost& host_;
  std::uint64_t number_;
  std::string client_network_;
  smtp::Server engine_;
  std::string unwritten_;
  SteadyTime started_;
  SteadyTime last_activity_;
  bool waiting_readable_ = false;
  bool waiting_writable_ = false;
  bool waits_for_room_ = false;
  bool lost_ = false;  ///< the client closed its side, or the connection broke
  bool broken_off_ = false;
  bool lingering_ = false;
  bool finished_ = false;
};

}  // namespace sternpost::smtpd

// For tests: a server on a loopback port, or on a socket it is given, which answers as it is told.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.h"

namespace sternpost::smtp_client {

/// Speaks SMTP and LMTP with all who connect, and keeps what they said.
class TestServer {
 public:
  /// Instead of a reply: nothing at all, or the end of the connection.
  static constexpr std::string_view kSilence = "silence";
  static constexpr std::string_view kHangUp = "hang up";

  explicit TestServer(boost::asio::io_context& loop) : loop_(loop), listener_(loop) {}

  void listen(int backlog = 100, in_addr_t at = INADDR_LOOPBACK) {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(at);
    socklen_t size = sizeof(address);
    ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    ASSERT_EQ(::listen(fd.get(), backlog), 0);
    ASSERT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port = ntohs(address.sin_port);
    listener_.assign(fd.release());
  }
  void start(in_addr_t at = INADDR_LOOPBACK) {
    listen(100, at);
    accept();
  }
  /// From now on little fits into a connection that is not read from.
  void narrow() {
    const int least = 4096;
    ASSERT_EQ(::setsockopt(listener_.native_handle(), SOL_SOCKET, SO_RCVBUF, &least, sizeof(least)), 0);
  }
  /// The port refuses connections from now on.
  void stop() { listener_.close(); }

  void serve(UniqueFd socket) {
    ++connections;
    const auto session = std::make_shared<Session>(loop_);
    session->number = connections;
    session->socket.assign(socket.release());
    sessions_.push_back(session);
    answer(*session, "greeting", "220 ready");
    read(session);
  }

  void hang_up() {
    for (const auto& session : sessions_) session->socket.close();
    sessions_.clear();
  }
  [[nodiscard]] std::size_t open() const {
    std::size_t count = 0;
    for (const auto& session : sessions_) count += session->socket.is_open() ? 1U : 0U;
    return count;
  }

  std::uint16_t port = 0;
  /// What it says instead of yes: to "greeting", to a verb, to "." after the content.
  std::map<std::string, std::string, std::less<>> replies;
  /// The same for one connection, by its number from 1 on and the verb: "2 MAIL".
  std::map<std::string, std::string, std::less<>> replies_once;
  /// The most content that is read: then it answers to "." and hangs up, with the rest unread.
  std::size_t most_content = std::numeric_limits<std::size_t>::max();
  std::vector<std::string> commands;
  std::vector<std::string> contents;
  std::size_t connections = 0;
  std::size_t most_at_once = 0;

 private:
  struct Session {
    explicit Session(boost::asio::io_context& loop) : socket(loop) {}
    boost::asio::posix::stream_descriptor socket;
    std::array<char, 4096> buffer{};
    std::string unread;
    std::size_t searched = 0;  ///< of unread, for the end that is awaited
    std::size_t number = 0;
    bool in_content = false;
  };
  using SessionPtr = std::shared_ptr<Session>;

  void accept() {
    listener_.async_wait(
        boost::asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& error) {
          if (error) return;
          UniqueFd fd(::accept4(listener_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
          if (fd) serve(std::move(fd));
          most_at_once = std::max(most_at_once, open());
          accept();
        });
  }

  void read(const SessionPtr& session) {
    session->socket.async_read_some(boost::asio::buffer(session->buffer),
                                    [this, session](const boost::system::error_code& error, std::size_t got) {
                                      if (error) {
                                        session->socket.close();
                                        return;
                                      }
                                      session->unread.append(session->buffer.data(), got);
                                      take(*session);
                                      if (session->socket.is_open()) read(session);
                                    });
  }

  void take(Session& session) {
    while (session.socket.is_open()) {
      const std::string_view end = session.in_content ? "\r\n.\r\n" : "\r\n";
      if (session.in_content && session.unread.size() > most_content) {
        answer(session, ".", "552 5.3.4 too big");
        session.socket.close();
        return;
      }
      const auto at = session.unread.find(end, session.searched);
      session.searched =
          at == std::string::npos ? session.unread.size() - std::min(end.size(), session.unread.size()) : 0;
      if (at == std::string::npos) return;
      auto text = session.unread.substr(0, at);
      session.unread.erase(0, at + end.size());
      if (std::exchange(session.in_content, false)) {
        contents.push_back(std::move(text));
        answer(session, ".", "250 2.0.0 queued");
        continue;
      }
      const auto verb = text.substr(0, 4);
      commands.push_back(std::move(text));
      session.in_content =
          answer(session, verb, verb == "DATA" ? "354 go on" : "250 2.0.0 fine").starts_with("354");
      if (verb == "QUIT") session.socket.close();
    }
  }

  std::string answer(Session& session, std::string_view to, std::string reply) {
    if (const auto at = replies.find(to); at != replies.end()) reply = at->second;
    const auto once = replies_once.find(std::to_string(session.number) + " " + std::string(to));
    if (once != replies_once.end()) reply = once->second;
    if (reply == kHangUp) {
      session.socket.close();
    } else if (reply != kSilence) {
      const auto line = reply + "\r\n";
      ::send(session.socket.native_handle(), line.data(), line.size(), MSG_NOSIGNAL);
    }
    return reply;
  }

  boost::asio::io_context& loop_;
  boost::asio::posix::stream_descriptor listener_;
  std::vector<SessionPtr> sessions_;
};

}  // namespace sternpost::smtp_client

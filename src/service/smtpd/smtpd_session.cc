#include "service/smtpd/smtpd_session.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace sternpost::smtpd {

using boost::asio::posix::stream_descriptor;

namespace {
constexpr std::size_t kUsualReplies = 1024;
}

Session::Session(boost::asio::io_context& loop, SessionHost& host, std::uint64_t number, UniqueFd socket,
                 const smtp::ServerLimits& limits, std::string client_network, smtp::ClientFacts client)
    : socket_(loop),
      host_(host),
      number_(number),
      client_network_(std::move(client_network)),
      engine_(limits, std::move(client)),
      started_(std::chrono::steady_clock::now()),
      last_activity_(started_) {
  socket_.assign(socket.release());
}

void Session::start() {
  engine_.start();
  pump();
}

void Session::pump() {
  if (finished_ || lingering_) return;
  do {
    carry_out_actions();
    write_replies();
  } while (!stalled() && engine_.replies_written());
  if (finished_ || stalled()) return;
  if (engine_.closing()) {
    if (engine_.closed_by_refusal() && !lost_) return begin_linger();
    return finish();
  }
  if (lost_) {
    if (!engine_.awaits_answer()) finish();
    return;
  }
  wait_readable();
}

void Session::carry_out_actions() {
  auto& buffer = host_.action_buffer();
  while (!engine_.actions().empty()) {
    std::swap(engine_.actions(), buffer);
    for (auto& action : buffer) host_.act(*this, std::move(action));
    buffer.clear();
  }
}

void Session::write_replies() {
  // Replies to one group of commands go out as a unit (RFC 2920 section 3.2): while one is owed, the others
  // wait.
  auto& replies = engine_.replies();
  if (replies.empty() || engine_.awaits_answer()) return;
  if (stalled()) {
    unwritten_ += replies;
    replies.clear();
    return;
  }
  const auto sent =
      ::send(socket_.native_handle(), replies.data(), replies.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) {
    // What was asked is answered all the same: an accepted message stays accepted.
    lost_ = true;
    replies.clear();
    return;
  }
  const auto taken = sent < 0 ? 0 : static_cast<std::size_t>(sent);
  if (taken < replies.size()) {
    unwritten_.assign(replies, taken);
    wait_writable();
  }
  // A session that once had much to say does not keep the room for it.
  if (replies.capacity() > kUsualReplies) std::string().swap(replies);
  replies.clear();
}

void Session::wait_writable() {
  if (std::exchange(waiting_writable_, true)) return;
  socket_.async_wait(stream_descriptor::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->waiting_writable_ = false;
                       if (error || self->finished_) return;
                       auto rest = std::exchange(self->unwritten_, {});
                       self->engine_.replies().insert(0, rest);
                       self->last_activity_ = std::chrono::steady_clock::now();
                       self->pump();
                     });
}

void Session::wait_readable() {
  if (!may_read() || std::exchange(waiting_readable_, true)) return;
  socket_.async_wait(stream_descriptor::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->waiting_readable_ = false;
                       if (!error && !self->finished_) self->on_readable();
                     });
}

/// Content that spool would only let wait stays with the client.
bool Session::may_read() {
  if (lingering_) return true;
  if (!engine_.wants_input()) return false;
  if (engine_.in_content() && !host_.has_room(*this)) waits_for_room_ = true;
  return !waits_for_room_;
}

void Session::resume() {
  waits_for_room_ = false;
  last_activity_ = std::chrono::steady_clock::now();
  on_readable();
}

void Session::on_readable() {
  // What was true when the wait began need not be now: others have sent meanwhile.
  if (!may_read()) return;
  const auto buffer = host_.read_buffer();
  const auto got = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return wait_readable();
  if (got <= 0) {
    lost_ = true;
    if (lingering_) return finish();
    return pump();
  }
  if (lingering_) return wait_readable();
  last_activity_ = std::chrono::steady_clock::now();
  engine_.feed({buffer.data(), static_cast<std::size_t>(got)});
  pump();
}

void Session::begin_linger() {
  // Closing with input unread would reset the connection and take the last reply with it.
  ::shutdown(socket_.native_handle(), SHUT_WR);
  lingering_ = true;
  last_activity_ = std::chrono::steady_clock::now();
  wait_readable();
}

void Session::detach() {
  finished_ = true;
  boost::system::error_code ignored;
  socket_.close(ignored);
}

void Session::finish() {
  if (std::exchange(finished_, true)) return;
  broken_off_ = !engine_.closing() && conversation().transaction.open;
  engine_.disconnected();
  carry_out_actions();
  boost::system::error_code ignored;
  socket_.close(ignored);
  host_.ended(*this);
}

}  // namespace sternpost::smtpd

#include "service/smtpd/acceptor.h"

#include <fcntl.h>

#include <cerrno>
#include <chrono>

namespace sternpost::smtpd {
namespace {

using namespace std::chrono_literals;

constexpr auto kPause = 100ms;
constexpr std::uint64_t kLeftToChannels = 32;

UniqueFd accept_from(int listener, sockaddr_storage& peer) {
  socklen_t size = sizeof(peer);
  return UniqueFd(
      ::accept4(listener, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

bool is_shortage(int errno_value) {
  return errno_value == EMFILE || errno_value == ENFILE || errno_value == ENOBUFS || errno_value == ENOMEM;
}

}  // namespace

Acceptor::Acceptor(boost::asio::io_context& loop, UniqueFd listener, std::uint64_t max_descriptors,
                   Handlers handlers)
    : listener_(loop),
      pause_(loop),
      max_descriptors_(max_descriptors),
      reserve_(::fcntl(listener.get(), F_DUPFD_CLOEXEC, 0)),
      handlers_(std::move(handlers)) {
  listener_.assign(listener.release());
  wait();
}

void Acceptor::close() {
  boost::system::error_code ignored;
  listener_.close(ignored);
  pause_.cancel();
  reserve_.reset();
}

void Acceptor::wait() {
  listener_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                       [this](const boost::system::error_code& error) {
                         if (!error) accept_one();
                       });
}

void Acceptor::accept_one() {
  sockaddr_storage peer{};
  auto socket = accept_from(listener_.native_handle(), peer);
  if (!socket) {
    const int why = errno;
    if (is_shortage(why)) {
      if (why == EMFILE) turn_one_away();
      handlers_.on_shortage(why);
      return pause();
    }
    // A sibling was faster, or the client went away before we came.
    return wait();
  }
  // Numbers are given lowest first.
  if (static_cast<std::uint64_t>(socket.get()) + kLeftToChannels >= max_descriptors_) {
    socket.reset();
    handlers_.on_shortage(EMFILE);
    return pause();
  }
  wait();
  handlers_.on_connection(std::move(socket), peer);
}

void Acceptor::turn_one_away() {
  reserve_.reset();
  sockaddr_storage peer{};
  accept_from(listener_.native_handle(), peer).reset();
  reserve_.reset(::fcntl(listener_.native_handle(), F_DUPFD_CLOEXEC, 0));
}

void Acceptor::pause() {
  pause_.expires_after(kPause);
  pause_.async_wait([this](const boost::system::error_code& error) {
    if (!error) wait();
  });
}

}  // namespace sternpost::smtpd

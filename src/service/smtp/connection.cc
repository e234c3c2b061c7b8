#include "service/smtp/connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

namespace sternpost::smtp_client {
namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress to_sockaddr(const std::string& address, std::uint16_t port) {
  SocketAddress made;
  if (address.contains(':')) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    ::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr);
    std::memcpy(&made.storage, &v6, sizeof(v6));
    made.size = sizeof(v6);
  } else {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    ::inet_pton(AF_INET, address.c_str(), &v4.sin_addr);
    std::memcpy(&made.storage, &v4, sizeof(v4));
    made.size = sizeof(v4);
  }
  return made;
}

/// The octets of the IP address of one end of a socket, by getsockname or getpeername; empty where there is
/// none.
std::string name_of(int socket, int (*ask)(int, sockaddr*, socklen_t*)) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (ask(socket, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  const auto octets = [](const auto& address) {
    return std::string(reinterpret_cast<const char*>(&address), sizeof(address));
  };
  if (storage.ss_family == AF_INET) return octets(reinterpret_cast<const sockaddr_in&>(storage).sin_addr);
  if (storage.ss_family == AF_INET6) return octets(reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr);
  return {};
}

/// What the system says of an error, without a pointer into static memory.
std::string_view describe(int error) {
  const char* text = ::strerrordesc_np(error);
  return text == nullptr ? "unknown error" : text;
}

SteadyTime steady_now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

Connection::Connection(boost::asio::io_context& loop, ConnectionHost& host, std::uint64_t number,
                       Endpoint endpoint, const smtp::ClientLimits& limits)
    : loop_(loop),
      host_(host),
      number_(number),
      endpoint_(std::move(endpoint)),
      engine_(limits),
      socket_(loop),
      last_progress_(steady_now()) {}

void Connection::open(std::chrono::seconds patience) {
  await_socket(patience);
  if (const int error = begin_connect(); error != 0) return fail_soon(error);
  socket_.async_wait(
      Descriptor::wait_write,
      [self = shared_from_this()](const boost::system::error_code& error) { self->on_connected(error); });
}

/// Zero, or the errno of what failed at once.
int Connection::begin_connect() {
  const auto to = to_sockaddr(endpoint_.address, endpoint_.port);
  failed_here_ = true;
  UniqueFd fd(::socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno;
  const int on = 1;
  // A command must not wait for the acknowledgement of the one before it.
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (!endpoint_.source.empty()) {
    // The kernel chooses a port only when it knows the other end, so that there are more of them.
    ::setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    const auto from = to_sockaddr(endpoint_.source, 0);
    if (::bind(fd.get(), from.get(), from.size) != 0) return errno;
  }
  failed_here_ = false;
  const int done = ::connect(fd.get(), to.get(), to.size);
  if (done != 0 && errno != EINPROGRESS && errno != EINTR) return errno;
  socket_.assign(fd.release());
  return 0;
}

/// The host is not called from inside its own call.
void Connection::fail_soon(int error) {
  boost::asio::post(loop_, [self = shared_from_this(), error] {
    if (!self->closed_) self->lost(error);
  });
}

void Connection::on_connected(const boost::system::error_code& failed) {
  if (failed || closed_ || !connecting_) return;
  int error = 0;
  socklen_t size = sizeof(error);
  if (::getsockopt(socket_.native_handle(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) return lost(error);
  begin();
}

void Connection::begin() {
  connecting_ = false;
  last_progress_ = steady_now();
  if (host_.reached(*this)) {
    engine_.connected();
  } else {
    engine_.disconnected("the connection came back to this server");
  }
  pump();
}

bool Connection::to_this_host() {
  const auto local = name_of(socket_.native_handle(), ::getsockname);
  return !local.empty() && local == name_of(socket_.native_handle(), ::getpeername);
}

void Connection::await_socket(std::chrono::seconds patience) {
  connect_patience_ = patience;
  connecting_ = true;
  last_progress_ = steady_now();
}

void Connection::adopt(UniqueFd socket, std::string_view refused) {
  if (closed_) return;
  if (!socket) {
    connecting_ = false;
    engine_.disconnected(refused);
    return pump();
  }
  socket_.assign(socket.release());
  socket_.native_non_blocking(true);
  begin();
}

void Connection::deliver(smtp::Delivery delivery, mail::ContentSource& content) {
  ++deliveries_;
  content_ = &content;
  last_progress_ = steady_now();
  engine_.begin(std::move(delivery));
  // A result that stands at once is told later: the host is in the middle of handing out the work.
  boost::asio::post(loop_, [self = shared_from_this()] { self->pump(); });
}

void Connection::quit() {
  engine_.quit();
  boost::asio::post(loop_, [self = shared_from_this()] { self->pump(); });
}

void Connection::pump() {
  if (closed_ || std::exchange(pumping_, true)) return;
  bool more = true;
  while (more && !closed_) {
    more = write_output();
    if (auto result = engine_.take_finished()) {
      host_.finished(*this, std::move(*result));
      more = true;
    }
  }
  pumping_ = false;
  if (closed_) return;
  if (engine_.closing()) return close();
  if (!connecting_ && socket_.is_open()) wait_readable();
}

void Connection::give_content() {
  while (const auto wanted = engine_.wanted_content()) {
    if (*wanted == 0) content_->rewind();
    const auto piece = content_->next();
    if (!piece) return engine_.content_lost(piece.error().text);
    engine_.give_content(*piece, content_->ended());
  }
}

/// True where everything was written, so that the engine may have more.
bool Connection::write_output() {
  if (connecting_ || !socket_.is_open()) return false;
  bool wrote = false;
  while (true) {
    if (unwritten_.empty()) {
      give_content();
      if (engine_.output().empty()) return wrote;
      std::swap(unwritten_, engine_.output());
      written_ = 0;
    }
    const auto sent = ::send(socket_.native_handle(), unwritten_.data() + written_,
                             unwritten_.size() - written_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EAGAIN || errno == EINTR) {
        wait_writable();
        return wrote;
      }
      const auto why = describe(errno);
      hear_last_words();
      engine_.disconnected(why);
      unwritten_.clear();
      return true;
    }
    written_ += static_cast<std::size_t>(sent);
    if (written_ < unwritten_.size()) {
      wait_writable();
      return wrote;
    }
    unwritten_.clear();
    // The memory goes back to the engine, which fills it again.
    if (engine_.output().empty()) std::swap(unwritten_, engine_.output());
    engine_.written();
    wrote = true;
  }
}

/// What a server says before it hangs up waits to be read, though nothing can be written any more: often it
/// is the reason.
void Connection::hear_last_words() {
  constexpr int kMostReads = 16;  // of a server that speaks on for as long as it is listened to
  const auto buffer = host_.read_buffer();
  for (int i = 0; i < kMostReads && !engine_.closing(); ++i) {
    const auto got = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got <= 0) return;
    engine_.feed({buffer.data(), static_cast<std::size_t>(got)});
  }
}

void Connection::wait_writable() {
  if (std::exchange(waiting_writable_, true)) return;
  socket_.async_wait(Descriptor::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->waiting_writable_ = false;
                       if (error || self->closed_) return;
                       self->last_progress_ = steady_now();
                       self->pump();
                     });
}

void Connection::wait_readable() {
  if (std::exchange(waiting_readable_, true)) return;
  socket_.async_wait(Descriptor::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->waiting_readable_ = false;
                       if (!error && !self->closed_) self->on_readable();
                     });
}

void Connection::on_readable() {
  const auto buffer = host_.read_buffer();
  const auto got = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return wait_readable();
  if (got < 0) return lost(errno);
  if (got == 0) {
    engine_.disconnected();
  } else {
    engine_.feed({buffer.data(), static_cast<std::size_t>(got)});
  }
  pump();
}

void Connection::lost(int error) {
  connecting_ = false;
  engine_.disconnected(describe(error));
  pump();
}

void Connection::sweep(SteadyTime now) {
  if (closed_) return;
  if (engine_.progress() != progress_) {
    progress_ = engine_.progress();
    last_progress_ = now;
  }
  const auto patience = connecting_ ? std::optional(connect_patience_) : engine_.patience();
  if (!patience || now - last_progress_ < *patience) return;
  last_progress_ = now;
  connecting_ = false;
  engine_.timed_out();
  pump();
}

void Connection::close() {
  if (std::exchange(closed_, true)) return;
  boost::system::error_code ignored;
  socket_.close(ignored);
  host_.closed(*this);
}

void Connection::detach() {
  closed_ = true;
  boost::system::error_code ignored;
  socket_.close(ignored);
}

}  // namespace sternpost::smtp_client

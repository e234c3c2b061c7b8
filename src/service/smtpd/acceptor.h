// Takes connections from one listening socket that workers share.
#pragma once

#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>

#include "base/unique_fd.h"

namespace sternpost::smtpd {

/// One connection for each wake-up: a worker that took all that wait would have every session while its
/// siblings idle. Without descriptors or memory it turns one client away and pauses; it never spins.
class Acceptor {
 public:
  struct Handlers {
    std::function<void(UniqueFd socket, const sockaddr_storage& peer)> on_connection;
    /// The system lacks descriptors or memory (errno); called once for each pause.
    std::function<void(int errno_value)> on_shortage;
  };

  /// Begins at once. The listener must be non-blocking. Of `max_descriptors` of the process a few are left to
  /// the channels that master sends.
  Acceptor(boost::asio::io_context& loop, UniqueFd listener, std::uint64_t max_descriptors,
           Handlers handlers);

  /// Takes no more connections and closes the socket.
  void close();

 private:
  void wait();
  void accept_one();
  void turn_one_away();
  void pause();

  boost::asio::posix::stream_descriptor listener_;
  boost::asio::steady_timer pause_;
  std::uint64_t max_descriptors_;
  UniqueFd reserve_;  ///< given up for a moment where the process has no descriptor left
  Handlers handlers_;
};

}  // namespace sternpost::smtpd

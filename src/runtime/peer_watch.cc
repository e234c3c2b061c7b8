#include "runtime/peer_watch.h"

#include <utility>

namespace sternpost {

PeerWatch::PeerWatch(boost::asio::io_context& loop, std::function<void(Compartment row)> on_lost)
    : loop_(loop), on_lost_(std::move(on_lost)) {}

void PeerWatch::gone(Compartment row) {
  auto& timer = waiting_[row];
  if (timer) return;
  timer = std::make_shared<boost::asio::steady_timer>(loop_, grace_);
  // A channel that came while the handler waited to be run has taken the timer away.
  timer->async_wait([this, row, alive = std::weak_ptr(timer)](const boost::system::error_code& error) {
    if (error || alive.expired()) return;
    waiting_.erase(row);
    on_lost_(row);
  });
}

void PeerWatch::came(Compartment row) {
  waiting_.erase(row);
}

}  // namespace sternpost

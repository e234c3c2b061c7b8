#include "runtime/channel/end_of_turn.h"

#include <boost/asio/post.hpp>

namespace sternpost {

EndOfTurn::EndOfTurn(boost::asio::io_context& loop, std::function<void()> work)
    : loop_(loop), state_(std::make_shared<State>(State{std::move(work), false})) {}

void EndOfTurn::schedule() {
  if (std::exchange(state_->scheduled, true)) return;
  boost::asio::post(loop_, [weak = std::weak_ptr(state_)] {
    const auto state = weak.lock();
    if (!state) return;
    state->scheduled = false;
    state->work();
  });
}

}  // namespace sternpost

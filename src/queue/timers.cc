#include "queue/timers.h"

#include <algorithm>
#include <functional>

namespace sternpost::queue {

void Timers::clear() {
  heap_.clear();
  set_ = 0;
}

void Timers::add(WallTime time, QueueId id) {
  heap_.emplace_back(time, id);
  std::ranges::push_heap(heap_, std::greater{});
  ++set_;
}

void Timers::drop() {
  std::ranges::pop_heap(heap_, std::greater{});
  heap_.pop_back();
}

void Timers::build() {
  std::ranges::make_heap(heap_, std::greater{});
}

}  // namespace sternpost::queue

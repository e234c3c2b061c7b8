// Which message is to be looked at when: one entry of 16 bytes for each that has a timer.
#pragma once

#include <cstddef>
#include <deque>
#include <utility>

#include "base/queue_id.h"
#include "base/time.h"

namespace sternpost::queue {

/// A heap of times. A timer that is cancelled stays in it: only the caller knows whether what comes first is
/// still the timer of its message. When more than a third would be such leftovers, the caller fills it anew,
/// so that it takes no more than 24 bytes for each message.
///
/// It stands in a deque because that grows by small pieces: a vector would double, and hold both copies while
/// it does.
class Timers {
 public:
  using Timer = std::pair<WallTime, QueueId>;
  /// Fewer timers than this are never filled anew.
  static constexpr std::size_t kFew = 1024;

  void clear();
  void add(WallTime time, QueueId id);
  /// One that was added counts no more.
  void cancel() { --set_; }

  [[nodiscard]] bool empty() const { return heap_.empty(); }
  [[nodiscard]] const Timer& first() const { return heap_.front(); }
  /// Takes away the first, which was cancelled.
  void drop();
  /// Takes away the first, which was not.
  void fired() {
    drop();
    cancel();
  }

  [[nodiscard]] std::size_t size() const { return heap_.size(); }
  [[nodiscard]] bool wants_refill() const { return heap_.size() > kFew && heap_.size() > set_ + set_ / 2; }
  /// `each` calls what it is given with every timer that is set.
  template <class ForEach>
  void refill(const ForEach& each) {
    clear();
    each([this](WallTime time, QueueId id) { heap_.emplace_back(time, id); });
    set_ = heap_.size();
    build();
  }

 private:
  void build();

  std::deque<Timer> heap_;
  std::size_t set_ = 0;  ///< of those in the heap that were not cancelled
};

}  // namespace sternpost::queue

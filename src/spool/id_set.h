// A set of queue ids that were committed: intervals, because ids are leased in runs and mostly used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "base/queue_id.h"

namespace sternpost::spool {

/// Holds at most `max_intervals` runs of consecutive ids; beyond that it forgets the lowest.
class IdSet {
 public:
  explicit IdSet(std::size_t max_intervals) : max_intervals_(max_intervals) {}

  void insert(QueueId id);
  void erase(QueueId id);
  [[nodiscard]] bool contains(QueueId id) const;
  /// Below all that is in it: it may have been forgotten.
  [[nodiscard]] bool is_below(QueueId id) const {
    return !intervals_.empty() && id.value < intervals_.begin()->first;
  }

  /// Consecutive ids.
  struct Run {
    std::uint64_t first = 0;
    std::uint64_t end = 0;  ///< one behind the last
    static constexpr auto fields() { return std::tuple(&Run::first, &Run::end); }
  };
  [[nodiscard]] std::vector<Run> runs() const;
  /// Of an empty set. False where they are out of order, or too many.
  bool restore(const std::vector<Run>& runs);

 private:
  std::map<std::uint64_t, std::uint64_t> intervals_;  ///< first id -> one behind the last
  std::size_t max_intervals_;
};

}  // namespace sternpost::spool

// A set of queue ids that were committed: intervals, because ids are leased in runs and mostly used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "base/queue_id.h"

namespace sternpost::spool {

/// Holds at most `max_intervals` runs of consecutive ids; beyond that it forgets the lowest.
class IdSet {
 public:
  explicit IdSet(std::size_t max_intervals) : max_intervals_(max_intervals) {}

  void insert(QueueId id);
  void erase(QueueId id);
  [[nodiscard]] bool contains(QueueId id) const;

 private:
  std::map<std::uint64_t, std::uint64_t> intervals_;  ///< first id -> one behind the last
  std::size_t max_intervals_;
};

}  // namespace sternpost::spool

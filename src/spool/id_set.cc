#include "spool/id_set.h"

#include <iterator>

namespace sternpost::spool {

void IdSet::insert(QueueId id) {
  const auto value = id.value;
  auto next = intervals_.upper_bound(value);
  const auto before = next == intervals_.begin() ? intervals_.end() : std::prev(next);
  const bool joins_before = before != intervals_.end() && before->second >= value;
  if (joins_before && before->second > value) return;
  const bool joins_next = next != intervals_.end() && next->first == value + 1;
  const auto end = joins_next ? next->second : value + 1;
  if (joins_next) next = intervals_.erase(next);
  if (joins_before) {
    before->second = end;
  } else {
    intervals_.emplace_hint(next, value, end);
  }
  if (intervals_.size() > max_intervals_) intervals_.erase(intervals_.begin());
}

void IdSet::erase(QueueId id) {
  const auto value = id.value;
  const auto next = intervals_.upper_bound(value);
  if (next == intervals_.begin()) return;
  const auto at = std::prev(next);
  const auto end = at->second;
  if (end <= value) return;
  at->second = value;
  if (at->first == value) intervals_.erase(at);
  if (value + 1 < end) intervals_.emplace(value + 1, end);
  if (intervals_.size() > max_intervals_) intervals_.erase(intervals_.begin());
}

std::vector<IdSet::Run> IdSet::runs() const {
  std::vector<Run> runs;
  runs.reserve(intervals_.size());
  for (const auto& [first, end] : intervals_) runs.push_back({first, end});
  return runs;
}

bool IdSet::restore(const std::vector<Run>& runs) {
  if (runs.size() > max_intervals_) return false;
  std::uint64_t next = 0;
  for (const auto& [first, end] : runs) {
    if (first < next || end <= first) return false;
    next = end + 1;  // those that touch would be one
    intervals_.emplace_hint(intervals_.end(), first, end);
  }
  return true;
}

bool IdSet::contains(QueueId id) const {
  const auto next = intervals_.upper_bound(id.value);
  return next != intervals_.begin() && std::prev(next)->second > id.value;
}

}  // namespace sternpost::spool

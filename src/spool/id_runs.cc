#include "spool/id_runs.h"

#include <algorithm>

namespace sternpost::spool {

void IdRuns::add(std::vector<QueueId> ids) {
  if (ids.empty()) return;
  std::ranges::sort(ids);
  // Nearly all ids come by rising id, so that there are few runs.
  const bool goes_on = !runs_.empty() && runs_.back().back() < ids.front();
  if (!goes_on) {
    next_.emplace(ids.front(), runs_.size());
    runs_.emplace_back();
  }
  runs_.back().insert(runs_.back().end(), ids.begin(), ids.end());
}

std::optional<QueueId> IdRuns::take() {
  while (!next_.empty()) {
    const auto [id, at] = next_.top();
    next_.pop();
    runs_[at].pop_front();
    if (!runs_[at].empty()) next_.emplace(runs_[at].front(), at);
    if (std::exchange(last_, id) != id) return id;
  }
  return std::nullopt;
}

}  // namespace sternpost::spool

// Ids that are gathered part by part and taken in order, so that neither takes long at a time, however many
// they are.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <queue>
#include <utility>
#include <vector>

#include "base/queue_id.h"

namespace sternpost::spool {

class IdRuns {
 public:
  /// In any order; some may have been added before.
  void add(std::vector<QueueId> ids);
  /// The next one by rising id, each once; nothing where none is left. Nothing is added any more.
  std::optional<QueueId> take();
  [[nodiscard]] bool empty() const { return next_.empty(); }

 private:
  std::vector<std::deque<QueueId>> runs_;  ///< each by rising id
  using Next = std::pair<QueueId, std::size_t>;
  std::priority_queue<Next, std::vector<Next>, std::greater<>> next_;  ///< the first id of each run
  QueueId last_;                                                       ///< that was taken
};

}  // namespace sternpost::spool

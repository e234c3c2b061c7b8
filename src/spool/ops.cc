#include "spool/ops.h"

namespace sternpost::spool {

RecordOutcomes removal_of(QueueId id, const MessageState& state, const std::string& why, WallTime when) {
  RecordOutcomes removed{id, {}};
  for (std::uint32_t i = 0; i < state.recipients(); ++i) {
    if (!state.is_open(i) && !state.is_owing(i)) continue;
    removed.outcomes.push_back({i, mail::Disposition::deleted, {250, {2, 0, 0}, why}, when});
  }
  return removed;
}

}  // namespace sternpost::spool

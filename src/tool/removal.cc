#include "tool/removal.h"

namespace sternpost::tool {

spool::RecordOutcomes removal_of(QueueId id, const spool::MessageState& state, const std::string& why) {
  spool::RecordOutcomes removed{id, {}};
  for (std::uint32_t i = 0; i < state.recipients(); ++i) {
    if (!state.is_open(i) && !state.is_owing(i)) continue;
    removed.outcomes.push_back({i, mail::Disposition::deleted, {250, {2, 0, 0}, why}, wall_now()});
  }
  return removed;
}

Outcome<void> remove_discarded(spool::Engine& engine, spool::Disk& disk) {
  for (const auto id : engine.take_discarded()) {
    if (const auto removed = spool::remove_content(disk, id); !removed) {
      return failure(ExitStatus::failed,
                     "cannot remove " + spool::content_name(id) + ": " + removed.error().text);
    }
  }
  return {};
}

}  // namespace sternpost::tool

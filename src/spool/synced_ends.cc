#include "spool/synced_ends.h"

#include <algorithm>

namespace sternpost::spool {

SyncedEnds::SyncedEnds(std::span<const CheckpointBase> checkpoints, std::optional<std::uint64_t> spool) {
  for (const auto& checkpoint : checkpoints) {
    if (checkpoint.head().spool != spool) continue;
    for (const auto& covered : checkpoint.head().segments) {
      auto& end = ends_[{covered.slot, covered.generation}];
      end = std::max(end, covered.end);
    }
  }
}

std::uint64_t SyncedEnds::find(const SegmentHeader& header) const {
  const auto at = ends_.find({header.slot, header.generation});
  return at == ends_.end() ? 0 : at->second;
}

}  // namespace sternpost::spool

// What checkpoints prove of where segments end, whether a start begins with them or not.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "spool/checkpoint_base.h"
#include "spool/segment.h"

namespace sternpost::spool {

/// Up to where segments were synced when checkpoints were written: what is not there any more is damaged, and
/// no torn tail.
class SyncedEnds {
 public:
  SyncedEnds() = default;
  /// Of the checkpoints that are of `spool`.
  SyncedEnds(std::span<const CheckpointBase> checkpoints, std::optional<std::uint64_t> spool);

  /// 0 where nothing is known.
  [[nodiscard]] std::uint64_t find(const SegmentHeader& header) const;

 private:
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::uint64_t> ends_;  ///< by slot and generation
};

}  // namespace sternpost::spool

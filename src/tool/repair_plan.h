// What is wrong with a queue on disk, and what `sternpost spool repair` would do about it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/json_text.h"
#include "spool/engine.h"
#include "tool/absent_segments.h"
#include "tool/failure.h"
#include "tool/spool_findings.h"

namespace sternpost::tool {

/// A queue that nobody else uses.
struct QueueOnDisk {
  std::string path;  ///< of its folder, for messages
  spool::Disks disks;
  spool::EngineOptions options;
};

struct RepairPlan {
  Findings found;                     ///< without absent segments
  std::vector<AbsentSegment> absent;  ///< their disks are not to be used
  std::string checkpoint_fault;       ///< of the newest; empty where nothing is wrong with it
  struct Damaged {
    std::uint32_t slot = 0;
    std::uint64_t messages = 0;  ///< to be moved out of it
  };
  std::vector<Damaged> damaged;
  /// Content files of which no message is known, where a damaged segment may have had it.
  std::vector<QueueId> ownerless;

  [[nodiscard]] bool is_damaged(std::uint32_t slot) const {
    return std::ranges::any_of(damaged, [slot](const Damaged& one) { return one.slot == slot; });
  }
  /// Whether the file is copied before anything is done.
  [[nodiscard]] bool is_evidence(const std::string& file) const;
  [[nodiscard]] bool whole() const { return found.whole() && absent.empty() && checkpoint_fault.empty(); }
};

/// Reads all of it and changes nothing. A failure where it cannot be repaired.
Outcome<RepairPlan> plan_repair(const QueueOnDisk& queue, spool::Clock& clock);

/// What is damaged, and what is to be done: a line for each.
void print_text(const RepairPlan& plan);
/// As members of the object that `writer` is in.
void append_json(JsonWriter& writer, const RepairPlan& plan);

}  // namespace sternpost::tool

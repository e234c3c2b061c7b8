// Goes through both logs of a spool in the order in which they were written, reading only, and tells what
// stands there, damage included: for people who want to see the log itself. What it means is recovery's
// matter (recovery.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "spool/disk.h"
#include "spool/record.h"
#include "spool/segment.h"
#include "spool/segment_file.h"

namespace sternpost::spool {

/// The segments of all folders, by slot. Fails where a folder cannot be listed, a file's name stands in both,
/// or reading fails for another reason than a medium that does not give it back.
Result<std::vector<FoundSegment>> find_segments(const Disks& disks);

/// One thing that stands in a log: a record, or bytes that hold none where one should be.
struct LogEntry {
  std::string_view file = {};  ///< "segment-0007"
  std::uint64_t offset = 0;
  std::uint64_t length = 0;                 ///< bytes
  std::optional<std::uint64_t> group = {};  ///< log sequence of the group, where its header is whole
  std::optional<WallTime> written = {};     ///< when that group was
  const RecordView* record = nullptr;       ///< null for damage; valid during the call
  QueueId id = {};                          ///< of the record; of damage as far as it can be told
  std::string_view why = {};                ///< of damage: what is wrong
  std::optional<SegmentRole> role = {};     ///< of the segment, where its header is whole
};

/// Calls `use` for all that is in the logs, and for what is damaged, group by group in the order of writing.
/// What is damaged and what a torn tail it tells as a start does, checkpoints included. Keeps at most one
/// segment of each log in memory. Spares have nothing in them.
Result<void> walk_log(const Disks& disks, const std::function<void(const LogEntry&)>& use);

}  // namespace sternpost::spool

// Rebuilds the index from what is on the disk, whatever a crash left there.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "spool/disk.h"
#include "spool/id_set.h"
#include "spool/index.h"
#include "spool/segment_log.h"

namespace sternpost::spool {

/// Something that was acknowledged, or may have been, and cannot be read. Its segment is kept as it is.
struct Quarantined {
  std::string file;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  QueueId id;  ///< zero where it cannot be told
  std::string why;
};

struct RecoveryReport {
  std::uint64_t segments = 0;  ///< with records
  std::uint64_t spares = 0;
  std::uint64_t groups = 0;
  std::uint64_t records = 0;
  std::uint64_t torn_tails = 0;  ///< unacknowledged groups that were dropped
  std::uint64_t live = 0;
  std::uint64_t finished = 0;  ///< whose records are still there
  std::vector<Quarantined> quarantined;
};

/// Reads all segments, makes durable again what a crash of this process alone left in memory, and fills
/// `log`, `index` and `committed`. What the disk cannot read is lost with its block alone, and reported;
/// fails where the disk fails otherwise, where a file is missing that was there once, and where a segment was
/// written by another version or belongs to another spool.
Result<RecoveryReport> recover(const Disks& disks, const SegmentLogOptions& options, SegmentLog& log,
                               Index& index, IdSet& committed);

}  // namespace sternpost::spool

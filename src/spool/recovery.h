// Rebuilds the index from what is on the disk, whatever a crash left there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "spool/disk.h"
#include "spool/id_set.h"
#include "spool/index.h"
#include "spool/segment_log.h"

namespace sternpost::spool {

/// Something that was acknowledged, or may have been, and cannot be read. Its segment is kept as it is; a
/// content file that is missing, or not as long as it was, leaves the log as good as it is.
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
  std::uint64_t bytes_read = 0;
  /// Content files without a live message, which a crash left behind. None while anything is quarantined: the
  /// message may be in that, and be read again later.
  std::vector<QueueId> orphans;
  bool from_checkpoint = false;  ///< and the log behind it; else from all of the log
  std::string no_checkpoint;     ///< what is wrong with the one that is there
  /// Of the checkpoint that was used; 0 where none was.
  std::uint64_t checkpoint_serial = 0;
  std::size_t checkpoint_file = 0;
};

/// What a start begins with. What a checkpoint says of what was synced counts in any case.
enum class CheckpointUse : unsigned char { where_it_fits, none };

/// Reads all segments, makes durable again what a crash of this process alone left in memory, and fills
/// `log`, `index` and `committed`. What the disk cannot read is lost with its block alone, and reported;
/// fails where the disk fails otherwise, where a file is missing that was there once, and where a segment was
/// written by another version or belongs to another spool.
///
/// Nothing is answered, and what was filled is of no use, where a checkpoint turned out not to fit: then it
/// must be done again without one.
Result<std::optional<RecoveryReport>> recover(const Disks& disks, const SegmentLogOptions& options,
                                              CheckpointUse use, SegmentLog& log, Index& index,
                                              IdSet& committed);

}  // namespace sternpost::spool

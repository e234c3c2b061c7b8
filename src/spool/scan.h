// Reads one segment as recovery must: which groups count, where the log ends, what is a torn tail and what is
// damage. A pure function of the segment's bytes.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "spool/group.h"

namespace sternpost::spool {

/// What is known from elsewhere about where a segment's log ends.
enum class EndKnowledge : unsigned char {
  named,   ///< a later header names it, and `bytes` stop there: all before it was acknowledged
  newest,  ///< nothing was written after this segment: its last group may be torn
  sealed,  ///< nobody names it any more: it has a closing mark, or is full
};

struct ScannedGroup {
  std::uint64_t offset = 0;
  std::uint64_t extent = 0;
  /// Where the group header is damaged: the next one's, or the last one's where there is none behind it.
  std::uint64_t log_sequence = 0;
  std::uint64_t id_mark = 0;        ///< 0 where the group header is damaged
  std::vector<RecordView> records;  ///< those that count
};

struct SegmentScan {
  std::vector<ScannedGroup> groups;  ///< without the closing mark
  std::vector<Damage> damage;        ///< of what was acknowledged, or may have been
  std::uint64_t end = kBlock;        ///< where the next group would start
  std::uint64_t next_sequence = 0;
  bool sealed = false;
  bool torn_tail = false;
};

/// Where reading begins: at the first group, or behind what a checkpoint covers.
struct ScanStart {
  std::uint64_t offset = kBlock;
  std::uint64_t sequence = 0;  ///< of the group there
  /// All before it was synced, whatever else is known: no group that begins there is a torn tail.
  std::uint64_t synced_end = 0;
};

/// `bytes` are the segment from its header block on, up to its known end; views in the result are into it.
SegmentScan scan_segment(std::string_view bytes, const SegmentHeader& header, EndKnowledge knowledge,
                         const ScanStart& start = {});

}  // namespace sternpost::spool

#include "spool/segment_file.h"

#include <algorithm>
#include <span>
#include <vector>

#include "spool/lost_blocks.h"

namespace sternpost::spool {
namespace {

/// Adjacent ones as one.
void add_lost(SegmentScan& scan, std::span<const std::uint64_t> blocks) {
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (i > 0 && blocks[i] == blocks[i - 1] + kBlock) {
      scan.damage.back().length += kBlock;
    } else {
      scan.damage.push_back({blocks[i], kBlock, {}, "the disk cannot read it"});
    }
  }
}

}  // namespace

void NamedEnds::add(const SegmentEnd& previous) {
  auto& end = ends_[{previous.slot, previous.generation}];
  end = end == 0 ? previous.end : std::min(end, previous.end);
}

std::optional<std::uint64_t> NamedEnds::find(const SegmentHeader& header) const {
  const auto at = ends_.find({header.slot, header.generation});
  if (at == ends_.end()) return std::nullopt;
  return at->second;
}

Result<ScannedFile> scan_file(DiskFile& file, std::uint64_t file_bytes, const SegmentHeader& header,
                              const NamedEnds& ends, bool newest, const ScanStart& start) {
  const auto named = ends.find(header);
  const auto limit = std::min(named.value_or(header.segment_bytes), header.segment_bytes);
  ScannedFile scanned;
  scanned.bytes.resize(std::min(limit, file_bytes));
  const auto size = scanned.bytes.size();
  const auto from = start.offset == kBlock ? 0 : std::min<std::uint64_t>(start.offset, size);
  const auto lost = read_blocks(file, from, std::span(scanned.bytes).subspan(from));
  if (!lost) return fail_with(Result<std::vector<std::uint64_t>>(lost));
  scanned.bytes_read = size - from;
  // What cannot be read may have been acknowledged, so that nothing behind it is a torn tail.
  const auto knowledge = named                     ? EndKnowledge::named
                         : newest && lost->empty() ? EndKnowledge::newest
                                                   : EndKnowledge::sealed;
  scanned.scan = scan_segment(scanned.bytes, header, knowledge, start);
  add_lost(scanned.scan, *lost);
  if (limit > size) scanned.scan.damage.push_back({size, limit - size, {}, "the file is cut short"});
  scanned.end_is_known = named || lost->empty();
  return scanned;
}

}  // namespace sternpost::spool

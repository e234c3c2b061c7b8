#include "spool/segment_file.h"

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>
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

Result<FoundSegment> look_at_segment(Disk& disk, std::uint32_t slot) {
  FoundSegment found;
  found.slot = slot;
  auto file = read_patiently([&] { return disk.open(segment_name(slot)); });
  if (!file && !is_unreadable(file.error())) return fail_with(std::move(file));
  if (!file) {
    found.why_not = "it cannot be opened";
    return found;
  }
  auto bytes = (*file)->size();
  if (!bytes) return fail_with(std::move(bytes));
  found.file = std::move(*file);
  found.file_bytes = *bytes;
  std::string block(kBlock, '\0');
  auto lost = read_blocks(*found.file, 0, block);
  if (!lost) return fail_with(std::move(lost));
  if (!lost->empty()) {
    found.why_not = "the segment's header cannot be read";
    return found;
  }
  auto fault = HeaderFault::blank;
  found.header = decode_segment_header(block, fault);
  if (found.header && found.header->slot == slot) return found;
  if (found.header || fault == HeaderFault::damaged) found.why_not = "the segment's header is damaged";
  found.is_of_other_version = !found.header && fault == HeaderFault::other_version;
  if (found.is_of_other_version) found.why_not = "written by another version of Sternpost";
  found.header.reset();
  return found;
}

Result<bool> is_blank(DiskFile& file, std::uint64_t bytes) {
  constexpr std::uint64_t kStep = 1024UL * 1024;
  std::string step;
  for (std::uint64_t at = 0; at < bytes; at += kStep) {
    step.resize(std::min(kStep, bytes - at));
    auto lost = read_blocks(file, at, step);
    if (!lost) return fail_with(std::move(lost));
    if (!lost->empty() || step.find_first_not_of('\0') != std::string::npos) return false;
  }
  return true;
}

Result<void> rewrite(DiskFile& file, std::uint64_t offset, std::uint64_t length) {
  std::string bytes(length, '\0');
  auto lost = read_blocks(file, offset, bytes);
  if (!lost) return fail_with(std::move(lost));
  for (std::uint64_t at = 0; at < length; at += kBlock) {
    if (std::ranges::find(*lost, offset + at) != lost->end()) continue;
    const auto block = std::string_view(bytes).substr(at, kBlock);
    if (auto written = file.write(offset + at, block); !written) return written;
  }
  return file.sync();
}

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

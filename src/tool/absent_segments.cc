#include "tool/absent_segments.h"

#include <algorithm>
#include <map>
#include <string>

#include "spool/log_walk.h"

namespace sternpost::tool {
namespace {

struct Volume {
  spool::Disk* disk = nullptr;
  std::vector<spool::FoundSegment> segments;
};

Result<std::vector<Volume>> find_all(const spool::Disks& disks) {
  // Together first, for a file that is in both.
  if (auto all = spool::find_segments(disks); !all) return fail_with(std::move(all));
  std::vector<Volume> volumes;
  for (auto* disk : {disks.main, disks.deferred}) {
    if (disk == nullptr) continue;
    auto segments = spool::find_segments(*disk);
    if (!segments) return fail_with(std::move(segments));
    volumes.push_back({disk, std::move(*segments)});
  }
  return volumes;
}

/// Which spool this is: that of most segments.
Result<std::uint64_t> identity_of(const std::vector<Volume>& volumes) {
  std::map<std::uint64_t, std::size_t> counts;
  for (const auto& volume : volumes) {
    for (const auto& segment : volume.segments) {
      if (segment.header && segment.header->spool != spool::kAnySpool) ++counts[segment.header->spool];
    }
  }
  if (counts.empty()) return spool::kAnySpool;
  const auto most =
      std::ranges::max_element(counts, {}, &std::pair<const std::uint64_t, std::size_t>::second);
  const auto as_many =
      std::ranges::count(counts, most->second, &std::pair<const std::uint64_t, std::size_t>::second);
  if (as_many == 1) return most->first;
  return fail(
      ErrorClass::permanent,
      "there are as many segments of one spool as of another: take those away that do not belong here");
}

bool is_of(const spool::FoundSegment& segment, std::uint64_t spool) {
  return segment.header && segment.header->spool == spool;
}

bool is_foreign(const spool::FoundSegment& segment, std::uint64_t spool) {
  return segment.header && segment.header->spool != spool::kAnySpool && segment.header->spool != spool;
}

/// A folder with nothing of this spool and something of another was not meant.
Result<void> check(const Volume& volume, std::uint64_t spool) {
  for (const auto& segment : volume.segments) {
    if (segment.file) continue;
    return fail(ErrorClass::permanent,
                spool::segment_name(segment.slot) +
                    " cannot be opened: copy the folder to another disk without it, and repair the copy");
  }
  const auto has_one = [&](auto test) {
    return std::ranges::any_of(volume.segments, [&](const auto& one) { return test(one, spool); });
  };
  if (!has_one(is_foreign) || has_one(is_of)) return {};
  return fail(ErrorClass::permanent,
              "one of the folders has segments of another spool alone: it is not this queue's");
}

}  // namespace

Result<std::vector<AbsentSegment>> find_absent(const spool::Disks& disks) {
  const auto volumes = find_all(disks);
  if (!volumes) return std::unexpected(volumes.error());
  const auto spool = identity_of(*volumes);
  if (!spool) return std::unexpected(spool.error());
  std::map<std::uint32_t, AbsentSegment> absent;
  std::vector<bool> there;
  std::uint32_t segments = 0;
  for (const auto& volume : *volumes) {
    if (auto checked = check(volume, *spool); !checked) return fail_with(std::move(checked));
    for (const auto& segment : volume.segments) {
      if (is_foreign(segment, *spool)) absent[segment.slot] = {segment.slot, volume.disk, true};
      if (there.size() <= segment.slot) there.resize(segment.slot + 1ULL);
      there[segment.slot] = true;
      if (segment.header && !is_foreign(segment, *spool))
        segments = std::max(segments, segment.header->segments);
    }
  }
  for (std::uint32_t slot = 0; slot < segments; ++slot) {
    if (slot >= there.size() || !there[slot]) absent[slot] = {slot, disks.main, false};
  }
  std::vector<AbsentSegment> sorted;
  for (const auto& [slot, one] : absent) sorted.push_back(one);
  return sorted;
}

Result<void> put_placeholders(std::span<const AbsentSegment> absent) {
  for (const auto& one : absent) {
    std::string block = "Sternpost: this segment was absent when the queue was repaired.\n";
    block.resize(spool::kBlock);
    auto file = one.disk->open(spool::segment_name(one.slot));
    if (!file) return fail_with(std::move(file));
    auto done = (*file)->write(0, block);
    if (done) done = (*file)->sync();
    if (done) done = one.disk->sync_directory();
    if (!done) return fail_with(std::move(done), spool::segment_name(one.slot));
  }
  return {};
}

}  // namespace sternpost::tool

// How a SegmentLog grows by segments and gives them back.
#include <algorithm>
#include <array>
#include <string_view>
#include <tuple>
#include <vector>

#include "spool/segment_log.h"

namespace sternpost::spool {
namespace {

/// Zeroes, without memory for all of them.
Result<void> write_zeroes(DiskFile& file, std::uint64_t offset, std::uint64_t bytes) {
  static constexpr std::array<char, 64UL * 1024> kZeroes{};
  std::vector<std::string_view> pieces;
  for (auto left = bytes; left > 0; left -= pieces.back().size()) {
    pieces.emplace_back(kZeroes.data(), std::min<std::uint64_t>(left, kZeroes.size()));
  }
  return file.write_pieces(offset, pieces);
}

}  // namespace

std::uint64_t SegmentLog::total_bytes() const {
  std::uint64_t total = 0;
  for (const auto& segment : segments_) {
    if (segment.state == SegmentState::preparing) {
      total += options_.segment_bytes;
    } else if (segment.state != SegmentState::absent) {
      total += segment.header.segment_bytes;
    }
  }
  return total;
}

bool SegmentLog::fits_its_share(Stream stream, std::uint64_t more) const {
  const auto volume = volume_of(stream);
  const auto here = std::ranges::count_if(segments_, [volume](const Segment& segment) {
    return segment.volume == volume && segment.state != SegmentState::absent;
  });
  const auto share = volume == 0 ? options_.max_bytes : options_.max_bytes - options_.main_bytes;
  return (static_cast<std::uint64_t>(here) + more) * options_.segment_bytes <= share;
}

bool SegmentLog::may_grow(Stream stream) {
  if (total_bytes() + other_bytes_ + options_.segment_bytes > options_.max_bytes) return false;
  if (!fits_its_share(stream, 1)) return false;
  const auto free = volumes_[volume_of(stream)].disk->free_bytes();
  return free && *free >= options_.min_free_bytes + options_.segment_bytes;
}

/// A file that was emptied is taken before a new one is made.
Result<void> SegmentLog::begin_preparing(std::size_t volume) {
  const auto at = std::ranges::find_if(segments_, [volume](const Segment& segment) {
    return segment.state == SegmentState::absent && segment.volume == volume;
  });
  const auto slot = static_cast<std::uint32_t>(at - segments_.begin());
  auto file = volumes_[volume].disk->open(segment_name(slot));
  if (!file) return fail_with(std::move(file));
  auto& segment = segment_at(slot);
  segment.volume = volume;
  segment.file = std::move(*file);
  segment.state = SegmentState::preparing;
  volumes_[volume].preparing = slot;
  volumes_[volume].prepared_bytes = 0;
  return {};
}

Result<bool> SegmentLog::prepare_step(Stream stream, std::uint64_t bytes) {
  auto& volume = volumes_[volume_of(stream)];
  if (!volume.preparing) {
    if (auto begun = begin_preparing(volume_of(stream)); !begun) return fail_with(std::move(begun));
  }
  auto& segment = segments_[*volume.preparing];
  Result<void> step;
  if (volume.prepared_bytes < options_.segment_bytes) {
    bytes = std::min(round_up_to_block(bytes), options_.segment_bytes - volume.prepared_bytes);
    step = write_zeroes(*segment.file, volume.prepared_bytes, bytes);
    // So that no sync of this disk, the last one here or a commit's, takes longer than a step.
    if (step) step = segment.file->write_out(volume.prepared_bytes, bytes);
    volume.prepared_bytes += bytes;
    counters_.bytes_written += bytes;
  } else {
    step = finish_preparing(volume);
    if (step) return false;
  }
  if (step) return true;
  const auto slot = *volume.preparing;
  volume.preparing.reset();
  make_blank(segment);
  return fail_with(std::move(step), "preparing " + segment_name(slot));
}

Result<void> SegmentLog::finish_preparing(Volume& volume) {
  auto& segment = segments_[*volume.preparing];
  auto done = segment.file->sync();  // before the header says that this is a spare
  if (done) done = volume.disk->sync_directory();
  if (!done) return done;
  segment.named = true;
  counters_.syncs += 3;  // with the header's
  const SegmentHeader header{.slot = *volume.preparing,
                             .generation = next_generation_++,
                             .segment_bytes = options_.segment_bytes,
                             .role = SegmentRole::spare,
                             .salt = 0,
                             .id_mark = durable_mark_,
                             .previous = {},
                             .spool = spool_,
                             .segments = named_segments()};
  done = segment.file->write(0, encode_segment_header(header));
  if (done) done = segment.file->sync();
  if (!done) return done;
  segment.header = header;
  segment.state = SegmentState::spare;
  volume.preparing.reset();
  ++volume.spares;
  mention(segment);
  return {};
}

/// So that each file is missed by another one: where a spare can be written, on the main disk if possible.
void SegmentLog::mention(const Segment& fresh) {
  const auto other = std::ranges::find_if(segments_, [&fresh](const Segment& segment) {
    return segment.state == SegmentState::spare && &segment != &fresh;
  });
  if (other == segments_.end()) return;
  auto header = other->header;
  header.segments = named_segments();
  std::ignore = write_header(*other, header);
}

void SegmentLog::release_spare(Stream stream) {
  if (const auto spare = spare_on(volume_of(stream)); spare != segments_.end()) make_blank(*spare);
}

/// The file stays, so that it is not missed. What is not emptied is blank, or a spare, and found again at the
/// next start.
void SegmentLog::make_blank(Segment& segment) {
  if (segment.state == SegmentState::spare) --volumes_[segment.volume].spares;
  std::ignore = segment.file->clear();
  const Segment was = std::exchange(segment, {});
  segment.volume = was.volume;
  segment.named = was.named;
}

}  // namespace sternpost::spool

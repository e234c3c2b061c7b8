#include "spool/segment_log.h"

#include <algorithm>
#include <tuple>

#include "base/checksum.h"

namespace sternpost::spool {
namespace {

/// The mark is raised by this much, before half of it is used up where a group is written anyway.
constexpr std::uint64_t kIdStep = 65536;
/// Of a smaller group the disk has done its part before anything else is.
constexpr std::uint64_t kWorthBeginning = 64UL * 1024;

}  // namespace

SegmentLog::SegmentLog(const Disks& disks, Clock& clock, const SegmentLogOptions& options)
    : clock_(clock), options_(options) {
  volumes_.emplace_back(disks.main);
  if (disks.deferred != nullptr) volumes_.emplace_back(disks.deferred);
}

Segment& SegmentLog::segment_at(std::uint32_t slot) {
  if (slot >= segments_.size()) segments_.resize(slot + 1ULL);
  return segments_[slot];
}

std::vector<Segment>::iterator SegmentLog::spare_on(std::size_t volume) {
  return std::ranges::find_if(segments_, [volume](const Segment& segment) {
    return segment.state == SegmentState::spare && segment.volume == volume;
  });
}

void SegmentLog::adopt(std::uint32_t slot, Segment segment, bool reopenable) {
  next_generation_ = std::max(next_generation_, segment.header.generation + 1);
  if (segment.state == SegmentState::spare) ++volumes_[segment.volume].spares;
  segment.named = true;
  if (segment.state == SegmentState::closed || segment.state == SegmentState::quarantined) {
    auto& of_log = tail(stream_of(segment.header.role));
    if (segment.header.generation > of_log.last.generation) {
      of_log.last = {segment.header.slot, segment.header.generation, segment.end};
      of_log.reopenable = reopenable;
    }
  }
  segment_at(slot) = std::move(segment);
}

void SegmentLog::adopt_blank(std::uint32_t slot, std::size_t volume) {
  auto& segment = segment_at(slot);
  segment.volume = volume;
  segment.named = true;
}

void SegmentLog::start_at(const Start& start) {
  next_id_ = start.id_mark;
  durable_mark_ = start.id_mark;
  next_log_sequence_ = start.log_sequence;
  spool_ = start.spool;
}

std::uint32_t SegmentLog::named_segments() const {
  const auto first = std::ranges::find(segments_, false, &Segment::named);
  return static_cast<std::uint32_t>(first - segments_.begin());
}

std::uint64_t SegmentLog::room(Stream stream) const {
  if (!has_active(stream)) return 0;
  const auto& segment = segments_[*active(stream)];
  return segment.header.segment_bytes - segment.end;
}

void SegmentLog::close(Stream stream) {
  auto& of_log = tail(stream);
  if (!of_log.active) return;
  auto& segment = segments_[*of_log.active];
  segment.state = SegmentState::closed;
  of_log.last = {segment.header.slot, segment.header.generation, segment.end};
  of_log.reopenable = true;
  of_log.active.reset();
}

void SegmentLog::withdraw(std::uint32_t slot) {
  for (const auto stream : kStreams) {
    if (active(stream) == slot) close(stream);
    if (tail(stream).last.slot == slot) tail(stream).reopenable = false;
  }
}

bool SegmentLog::reopen(Stream stream) {
  auto& of_log = tail(stream);
  const auto& last = of_log.last;
  if (of_log.active || !of_log.reopenable || last.slot >= segments_.size()) return false;
  auto& segment = segments_[last.slot];
  const bool same = segment.state == SegmentState::closed && segment.header.generation == last.generation;
  if (!same || segment.sealed || segment.header.segment_bytes - segment.end < kBlock) return false;
  segment.state = SegmentState::active;
  of_log.active = last.slot;
  return true;
}

Result<void> SegmentLog::write_header(Segment& segment, const SegmentHeader& header) {
  auto written = segment.file->write(0, encode_segment_header(header));
  if (written) written = segment.file->sync();
  if (!written) {
    ++counters_.failures;
    return written;
  }
  ++counters_.syncs;
  counters_.bytes_written += kBlock;
  segment.header = header;
  segment.end = kBlock;
  segment.next_sequence = 0;
  segment.sealed = false;
  return {};
}

std::uint64_t SegmentLog::raised_mark() const {
  return next_id_ + kIdStep / 2 > durable_mark_ ? std::max(next_id_, durable_mark_) + kIdStep : durable_mark_;
}

Result<void> SegmentLog::activate(Stream stream) {
  const auto volume = volume_of(stream);
  const auto spare = spare_on(volume);
  if (spare == segments_.end()) {
    return fail(ErrorClass::temporary, "the spool is full: no spare segment", ENOSPC);
  }
  close(stream);
  auto& of_log = tail(stream);
  of_log.reopenable = false;
  const auto slot = static_cast<std::uint32_t>(spare - segments_.begin());
  const auto generation = next_generation_++;
  const SegmentHeader header{.slot = slot,
                             .generation = generation,
                             .segment_bytes = spare->header.segment_bytes,
                             .role = role_in(stream),
                             .salt = checksum(encode(generation), options_.salt),
                             .id_mark = raised_mark(),
                             .previous = of_log.last,
                             .spool = spool_,
                             .segments = named_segments()};
  --volumes_[volume].spares;
  // Even a failed write may be found by recovery, so from here on nothing may be added to the segment before.
  spare->state = SegmentState::doubtful;
  if (auto written = write_header(*spare, header); !written) {
    ++failures_in_row_;
    return fail_with(std::move(written), "opening " + segment_name(slot));
  }
  spare->state = SegmentState::active;
  of_log.active = slot;
  of_log.unsettled = false;
  durable_mark_ = header.id_mark;
  failures_in_row_ = 0;
  return {};
}

Result<SegmentLog::GroupPlace> SegmentLog::append(Stream stream, GroupBuilder& group,
                                                  std::size_t keep_spares) {
  auto place = begin_append(stream, group, keep_spares);
  if (!place) return place;
  if (auto ended = end_append(); !ended) return fail_with(std::move(ended));
  return place;
}

Result<SegmentLog::GroupPlace> SegmentLog::begin_append(Stream stream, GroupBuilder& group,
                                                        std::size_t keep_spares) {
  if (group.extent() > capacity()) return fail(ErrorClass::permanent, "a group is larger than a segment");
  if (group.extent() > room(stream)) {
    if (spares(stream) <= keep_spares) return fail(ErrorClass::temporary, "the spool is full", ENOSPC);
    if (auto opened = activate(stream); !opened) return fail_with(std::move(opened));
  }
  auto& segment = segments_[*active(stream)];
  const GroupPlace place{segment.header.slot, segment.end};
  const auto mark = raised_mark();
  const auto pieces = group.finish(SegmentIdentity(segment.header),
                                   {segment.next_sequence, next_log_sequence_++, mark, clock_.now()});
  if (auto written = segment.file->write_pieces(segment.end, pieces); !written) {
    note_failed_append(stream);
    return fail_with(std::move(written), segment_name(place.slot));
  }
  begun_ = {stream, group.extent(), mark};
  if (begun_.extent >= kWorthBeginning) segment.file->begin_write_out(segment.end, begun_.extent);
  return place;
}

Result<void> SegmentLog::end_append() {
  const auto stream = begun_.stream;
  auto& segment = segments_[*active(stream)];
  if (auto synced = segment.file->sync(); !synced) {
    note_failed_append(stream);
    return fail_with(std::move(synced), segment_name(segment.header.slot));
  }
  failures_in_row_ = 0;
  tail(stream).unsettled = false;
  ++counters_.groups;
  if (stream == Stream::deferred) ++counters_.deferred_groups;
  ++counters_.syncs;
  counters_.bytes_written += begun_.extent;
  segment.end += begun_.extent;
  ++segment.next_sequence;
  durable_mark_ = begun_.id_mark;
  return {};
}

void SegmentLog::note_failed_append(Stream stream) {
  close(stream);
  tail(stream).unsettled = true;
  ++failures_in_row_;
  ++counters_.failures;
}

std::optional<Coverage> SegmentLog::coverage() const {
  const bool settled = failures_in_row_ == 0 && std::ranges::none_of(tails_, &Tail::unsettled);
  const bool whole = std::ranges::none_of(segments_, [](const Segment& segment) {
    return segment.state == SegmentState::doubtful || segment.state == SegmentState::quarantined;
  });
  if (!settled || !whole) return std::nullopt;
  const auto end_of = [this](Stream stream) {
    if (!has_active(stream)) return last(stream);
    const auto& segment = segments_[*active(stream)];
    return SegmentEnd{segment.header.slot, segment.header.generation, segment.end};
  };
  return Coverage{next_generation_, end_of(Stream::incoming), end_of(Stream::deferred)};
}

Result<void> SegmentLog::seal(Segment& segment) {
  if (segment.header.segment_bytes - segment.end >= kBlock) {
    GroupBuilder group;
    group.add(RecordType::mark, {}, Mark{MarkKind::closed});
    auto written = segment.file->write_pieces(
        segment.end,
        group.finish(SegmentIdentity(segment.header),
                     {segment.next_sequence, next_log_sequence_++, durable_mark_, clock_.now()}));
    if (written) written = segment.file->sync();
    if (!written) {
      ++counters_.failures;
      return written;
    }
    ++counters_.syncs;
    counters_.bytes_written += kBlock;
  }
  segment.sealed = true;
  return {};
}

Result<void> SegmentLog::seal_named_by(const Segment& segment) {
  const auto& named = segment.header.previous;
  if (named.generation == 0 || named.slot >= segments_.size()) return {};
  auto& before = segments_[named.slot];
  // A quarantined one is kept as it is: what was acknowledged may stand where it seems to end.
  const bool still_there =
      before.state == SegmentState::closed && before.header.generation == named.generation;
  if (!still_there || before.sealed) return {};
  // Without the header of `segment` nobody says where this one ends, so that it must say it itself.
  if (auto sealed = seal(before); !sealed) return fail_with(std::move(sealed), "closing a segment");
  return {};
}

Result<void> SegmentLog::reset(std::uint32_t slot) {
  auto& segment = segments_[slot];
  if (auto sealed = seal_named_by(segment); !sealed) return sealed;
  return make_empty(segment);
}

Result<void> SegmentLog::discard(std::uint32_t slot) {
  auto& segment = segments_[slot];
  if (auto sealed = seal_named_by(segment); !sealed) return sealed;
  // Of no size that a segment may have: every start that finds such a spare empties the file.
  segment.header.segment_bytes = kBlock;
  segment.header.spool = spool_;
  return make_empty(segment);
}

Result<void> SegmentLog::make_empty(Segment& segment) {
  segment.state = SegmentState::doubtful;
  auto header = segment.header;
  header.role = SegmentRole::spare;
  header.generation = next_generation_++;
  header.id_mark = durable_mark_;
  header.previous = {};
  header.segments = named_segments();
  if (auto written = write_header(segment, header); !written) {
    return fail_with(std::move(written), "resetting " + segment_name(header.slot));
  }
  ++counters_.segments_reset;
  segment.state = SegmentState::emptied;
  return {};
}

void SegmentLog::make_spare(std::uint32_t slot) {
  auto& segment = segments_[slot];
  segment.state = SegmentState::spare;
  ++volumes_[segment.volume].spares;
  if (segment.header.segment_bytes != options_.segment_bytes) make_blank(segment);
}

bool SegmentLog::can_write_a_spare() {
  const auto spare = std::ranges::find(segments_, SegmentState::spare, &Segment::state);
  return spare != segments_.end() && write_header(*spare, SegmentHeader(spare->header));
}

void SegmentLog::give_up(std::uint32_t slot) {
  auto& segment = segments_[slot];
  if (!segment.sealed) std::ignore = seal(segment);
  if (segment.state == SegmentState::doubtful) {
    // What could not be written may be read back from memory: the next start must not take it for a spare,
    // which it would try to write again.
    std::ignore = segment.file->write(0, encode_segment_header(segment.header));
    std::ignore = segment.file->sync();
  }
  quarantine(slot);
}

std::vector<std::uint32_t> SegmentLog::doubtful() const {
  std::vector<std::uint32_t> slots;
  for (std::uint32_t slot = 0; slot < segments_.size(); ++slot) {
    if (segments_[slot].state == SegmentState::doubtful) slots.push_back(slot);
  }
  return slots;
}

Result<void> SegmentLog::read(std::uint32_t slot, std::uint64_t offset, std::span<char> out) const {
  if (slot >= segments_.size() || !segments_[slot].file) {
    return fail(ErrorClass::permanent, segment_name(slot) + " has no records");
  }
  auto got = segments_[slot].file->read(offset, out);
  if (!got) return fail_with(std::move(got));
  if (*got != out.size())
    return fail(ErrorClass::internal, segment_name(slot) + " is shorter than it was", EIO);
  return {};
}

Result<std::string> SegmentLog::read(std::uint32_t slot, std::uint64_t offset, std::uint64_t length) const {
  std::string bytes(length, '\0');
  if (auto got = read(slot, offset, bytes); !got) return fail_with(std::move(got));
  return bytes;
}

Result<QueueId> SegmentLog::lease(std::uint32_t count) {
  if (next_id_ + count > durable_mark_) {
    GroupBuilder mark_only;
    next_id_ += count;  // so that the mark is raised beyond what is asked for
    auto raised = append(Stream::incoming, mark_only, 1);
    next_id_ -= count;
    if (!raised) return fail_with(std::move(raised), "leasing queue ids");
  }
  const QueueId first{next_id_};
  next_id_ += count;
  return first;
}

}  // namespace sternpost::spool

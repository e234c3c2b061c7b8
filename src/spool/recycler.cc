#include "spool/recycler.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>
#include <tuple>

#include "spool/lost_blocks.h"
#include "spool/scan.h"

namespace sternpost::spool {
namespace {

/// How often a segment is reset in vain while the disk works elsewhere.
constexpr unsigned kResetTries = 10;
/// What a step reads, about, of a segment in which hardly anything is needed.
constexpr std::uint64_t kMostRead = 1024 * 1024;
/// Forgetting a message record takes as long as writing so many bytes.
constexpr std::uint64_t kBytesOfForgetting = 256;

}  // namespace

std::optional<std::uint32_t> Recycler::cheapest(Stream stream) const {
  std::optional<std::uint32_t> best;
  const auto& segments = log_.segments();
  for (std::uint32_t slot = 0; slot < segments.size(); ++slot) {
    if (segments[slot].state != SegmentState::closed) continue;
    if (segments[slot].volume != log_.volume_of(stream)) continue;
    if (!best || index_.need(slot).bytes < index_.need(*best).bytes) best = slot;
  }
  return best;
}

std::uint64_t Recycler::cost(const Index::Need& need) const {
  if (need.items == 0) return 0;
  // In every step's group a dead list for each segment, and padding.
  constexpr std::uint64_t kDeadListBytes = 64;
  const auto steps = std::min(
      need.items, need.bytes / (least_step_ - kBlock) + 1 + (log_.segment_bytes() - 1) / most_read());
  const auto lists = std::min<std::uint64_t>(need.items, steps * log_.segments().size());
  return round_up_to_block(need.bytes + lists * kDeadListBytes) + steps * kBlock;
}

void Recycler::start(std::uint32_t slot, bool must_leave) {
  log_.withdraw(slot);
  must_leave_ = must_leave;
  victim_ = slot;
  next_group_ = kBlock;
  records_.clear();
  next_record_ = 0;
  copies_.clear();
  resetting_ = false;
  reset_failures_ = 0;
}

/// All that counts is read at once, as recovery reads it. Of more than that nothing is known to be needed.
Result<void> Recycler::start_damaged(std::uint32_t slot) {
  start(slot);
  const auto& segment = log_.segments()[slot];
  next_group_ = segment.end;
  if (segment.end == kBlock) return {};
  group_bytes_.assign(segment.end, 0);
  if (auto read = read_blocks(*segment.file, 0, group_bytes_); !read) return failed(std::move(read.error()));
  const std::string_view bytes(group_bytes_.data(), group_bytes_.size());
  for (auto& group : scan_segment(bytes, segment.header, EndKnowledge::named).groups) {
    std::ranges::move(group.records, std::back_inserter(records_));
  }
  return {};
}

bool Recycler::is_damaged() const {
  return log_.segments()[*victim_].state == SegmentState::quarantined;
}

Result<bool> Recycler::step(std::uint64_t bytes) {
  if (forgetting_) return forget_some();
  const auto slot = *victim_;
  if (log_.segments()[slot].state == SegmentState::closed || is_damaged()) {
    auto moved = move_some(std::clamp(bytes, least_step_, log_.capacity() / 4));
    if (!moved) return failed(std::move(moved.error()));
    read_failures_ = 0;
    if (*moved) return true;
    if (index_.need(slot).items != 0) {
      return failed({ErrorClass::permanent, 0, "records that are still needed were not found in it"});
    }
  }
  resetting_ = true;
  auto reset = is_damaged() ? log_.discard(slot) : log_.reset(slot);
  if (!reset) return not_reset(std::move(reset.error()));
  resetting_ = false;
  deferred_failed_ = false;
  group_bytes_ = {};
  forgetting_ = true;
  return forget_some();
}

/// False at the end. Where spares are scarce, commits wait for this one.
bool Recycler::forget_some() {
  const bool scarce = log_.spares(Stream::incoming) < kLeastSpares;
  const auto some =
      scarce ? copies_.size() : std::min<std::size_t>(copies_.size(), least_step_ / kBytesOfForgetting);
  index_.retire(*victim_, std::span(copies_).last(some));
  copies_.resize(copies_.size() - some);
  if (!copies_.empty()) return true;
  log_.make_spare(*victim_);
  victim_.reset();
  forgetting_ = false;
  copies_ = {};
  return false;
}

/// Its records may still be found, so that nothing is forgotten of what proves them to be old. A disk that
/// fails everywhere is waited for.
std::unexpected<Error> Recycler::not_reset(Error error) {
  const auto groups = log_.counters().groups;
  const bool works_elsewhere =
      std::exchange(groups_at_failure_, groups) != groups || log_.can_write_a_spare();
  if (works_elsewhere && ++reset_failures_ >= kResetTries) return give_up(std::move(error.text));
  return std::unexpected(std::move(error).within("recycling"));
}

/// The segment cannot be emptied while what is in it, or what belongs to it, cannot be read.
std::unexpected<Error> Recycler::unreadable(std::uint32_t slot, std::uint64_t offset, Error error) {
  if (const auto place = std::pair(slot, offset); unreadable_ != place) {
    unreadable_ = place;
    read_failures_ = 0;
  }
  if (is_unreadable(error) && ++read_failures_ >= kReadTries) error.what_to_do = ErrorClass::permanent;
  return std::unexpected(std::move(error));
}

/// What was gathered is out of date as soon as anything else is committed, so it is never kept for another
/// try.
std::unexpected<Error> Recycler::failed(Error error) {
  if (is_damaged()) {
    victim_.reset();
    drop_step();
    return std::unexpected(std::move(error));
  }
  if (error.what_to_do == ErrorClass::permanent) return give_up(std::move(error.text));
  drop_step();
  start(*victim_, must_leave_);
  // Of another disk, others need not wait for it.
  if (error.errno_value == ENOSPC || stays_on_own_disk()) victim_.reset();
  return std::unexpected(std::move(error).within("recycling"));
}

std::unexpected<Error> Recycler::give_up(std::string why) {
  const auto slot = *victim_;
  log_.give_up(slot);
  victim_.reset();
  resetting_ = false;
  read_failures_ = 0;
  drop_step();
  return fail(ErrorClass::permanent, segment_name(slot) + " cannot be recycled: " + std::move(why));
}

void Recycler::drop_step() {
  group_.clear();
  moved_.clear();
  in_group_.clear();
  dead_.clear();
  dead_entries_ = 0;
}

/// False at the end, where nothing was left to write.
Result<bool> Recycler::move_some(std::uint64_t bytes) {
  if (auto gathered = gather(bytes); !gathered) return fail_with(std::move(gathered));
  if (group_.empty()) return !at_end();
  if (auto written = write(); !written) return fail_with(std::move(written));
  return true;
}

/// The next group of the victim; no records where there is none.
Result<void> Recycler::read_group() {
  const auto& segment = log_.segments()[*victim_];
  const SegmentIdentity identity(segment.header);
  records_.clear();
  next_record_ = 0;
  std::array<char, kGroupHeaderBytes> front{};
  if (auto read = log_.read(*victim_, next_group_, front); !read)
    return unreadable(*victim_, next_group_, std::move(read.error()));
  const auto header = parse_group_header({front.data(), front.size()}, identity);
  if (!header) return fail(ErrorClass::permanent, "a group's header is damaged");
  const auto extent = std::min(header->extent(), segment.end - next_group_);
  if (group_bytes_.size() < extent) group_bytes_.resize(extent);
  const auto bytes = std::span(group_bytes_).first(extent);
  if (auto read = log_.read(*victim_, next_group_, bytes); !read)
    return unreadable(*victim_, next_group_, std::move(read.error()));
  auto parsed = parse_group({bytes.data(), bytes.size()}, next_group_, *header, identity);
  if (!parsed.damage.empty()) return fail(ErrorClass::permanent, parsed.damage.front().why);
  records_ = std::move(parsed.records);
  next_group_ += header->extent();
  return {};
}

bool Recycler::at_end() const {
  return next_record_ == records_.size() && next_group_ >= log_.segments()[*victim_].end;
}

/// Small segments are read in one go: each step's group has padding, for which there may be no room.
std::uint64_t Recycler::most_read() const {
  return std::max(kMostRead, log_.segment_bytes() / 16);
}

/// Reads on until the step is full, or has read enough, or the victim ends.
Result<void> Recycler::gather(std::uint64_t bytes) {
  const auto begin = next_group_;
  while (!at_end() && group_.extent() + dead_entries_ * sizeof(QueueId) < bytes) {
    if (next_record_ == records_.size()) {
      if (next_group_ - begin >= most_read()) break;
      if (auto read = read_group(); !read) return read;
      continue;
    }
    if (auto considered = consider(records_[next_record_]); !considered) return considered;
    ++next_record_;
  }
  for (auto& [slot, ids] : dead_) {
    group_.add(RecordType::dead_list, {}, DeadList{slot, log_.segments()[slot].header.generation, ids});
  }
  return {};
}

Result<void> Recycler::consider(const RecordView& record) {
  switch (record.header.type) {
    case RecordType::message:
      return consider_message(record);
    case RecordType::envelope:
    case RecordType::outcome:
    case RecordType::mark:
      return consider_settled(record.header.id);
    case RecordType::dead_list:
      if (const auto list = decode<DeadList>(record.head)) {
        for (const auto id : list->ids) consider_certificate(id);
      }
      return {};
  }
  return {};
}

Result<void> Recycler::consider_message(const RecordView& record) {
  const auto id = record.header.id;
  auto message = index_.find(id);
  const bool current = message && message->data.slot == *victim_ && message->data.offset == record.offset;
  if (current) {
    auto envelope = read_state(*message, &record);
    if (!envelope) return fail_with(std::move(envelope));
    const auto envelope_bytes = static_cast<std::uint32_t>(envelope->size());
    const auto budget = log_.capacity() / 2 - kRecordHeaderBytes - record.content.size();
    const auto kind = message->file_bytes > 0 ? ContentKind::file : ContentKind::inline_bytes;
    group_.add(RecordType::message, id,
               MessageHead{kind, {}, to_record(message->state, std::move(*envelope), budget)},
               record.content);
    moved(id, RecordType::message, envelope_bytes, std::move(*message));
  }
  copies_.push_back(id);
  if (const auto settles = settles_of(record.head)) return consider_settled(settles->settlement.id);
  return {};
}

/// A record in the victim changed the state of this message, or proved it finished.
Result<void> Recycler::consider_settled(QueueId id) {
  consider_certificate(id);
  return consider_state(id);
}

Result<void> Recycler::consider_state(QueueId id) {
  if (in_group_.contains(id)) return {};
  auto message = index_.find(id);
  if (!message || message->data.slot == *victim_) return {};
  if (std::ranges::find(message->state_slots, *victim_) == message->state_slots.end()) return {};
  auto envelope = read_state(*message);
  if (!envelope) return fail_with(std::move(envelope));
  const auto envelope_bytes = static_cast<std::uint32_t>(envelope->size());
  group_.add(RecordType::envelope, id,
             to_record(message->state, std::move(*envelope), log_.capacity() / 2 - kRecordHeaderBytes));
  moved(id, RecordType::envelope, envelope_bytes, std::move(*message));
  return {};
}

/// What of its state is on the disk alone: brings the texts into memory, and answers the envelope.
Result<std::string> Recycler::read_state(Message& message, const RecordView* record) {
  auto envelope = read_envelope(message, record);
  if (!envelope) return envelope;
  if (auto read = read_texts(message); !read) return fail_with(std::move(read));
  return envelope;
}

/// `record`, where given, is the one with the message's data, and often with its envelope.
Result<std::string> Recycler::read_envelope(const Message& message, const RecordView* record) {
  if (record != nullptr && message.envelope == message.data) {
    if (auto envelope = Reader::envelope_bytes(*record)) return std::move(*envelope);
  }
  auto envelope = reader_.envelope_bytes(message.envelope);
  if (!envelope)
    return unreadable(message.envelope.slot, message.envelope.offset, std::move(envelope.error()));
  return envelope;
}

/// What the disk fails to read is waited for, as everything else; what it will not read is dropped, for no
/// message depends on it.
Result<void> Recycler::read_texts(Message& message) {
  auto read = reader_.texts(message.state);
  if (read) return read;
  auto error = unreadable(message.data.slot, message.data.offset, std::move(read.error()));
  if (error.error().what_to_do != ErrorClass::permanent) return error;
  message.state.drop_texts_on_disk();
  return {};
}

/// The last record of the group leaves the message in this state.
void Recycler::moved(QueueId id, RecordType type, std::uint32_t envelope_bytes, Message message) {
  message.state.leave_texts_in({kThisGroup, static_cast<std::uint32_t>(group_.records().back().offset)});
  moved_.push_back({id, type, envelope_bytes, std::move(message.state), message.file_bytes});
  in_group_.insert(id);
}

void Recycler::consider_certificate(QueueId id) {
  const auto* finished = index_.find_finished(id);
  if (finished == nullptr || finished->certificate != *victim_ || in_group_.contains(id)) return;
  for (const auto slot : index_.copies(id)) {
    if (slot == *victim_) continue;
    dead_[slot].push_back(id);
    ++dead_entries_;
    in_group_.insert(id);
  }
}

/// While a failed group may stand behind the end of the incoming log, only that log may be written.
Stream Recycler::destination() {
  if (log_.is_unsettled(Stream::incoming)) return Stream::incoming;
  if (!log_.is_unsettled(Stream::deferred)) std::ignore = log_.reopen(Stream::deferred);
  if (group_.extent() <= log_.room(Stream::deferred) || stays_on_own_disk()) return Stream::deferred;
  const auto spares = log_.spares(Stream::deferred);
  if (log_.volumes() > 1) {
    // A disk of its own keeps one spare for recycling what is there.
    return !deferred_failed_ && spares > 1 ? Stream::deferred : Stream::incoming;
  }
  // Recycling often begins at this number. Where the queue may grow, what is taken here is had again.
  const bool is_replaced = spares == kLeastSpares && log_.may_grow(Stream::incoming);
  return spares > kLeastSpares || is_replaced ? Stream::deferred : Stream::incoming;
}

bool Recycler::stays_on_own_disk() const {
  return log_.volumes() > 1 && log_.segments()[*victim_].volume == log_.volume_of(Stream::deferred);
}

/// The group that failed may be on the disk, and the incoming log goes on without it.
void Recycler::doubt_copies() {
  const auto slot = log_.last(Stream::deferred).slot;
  for (const auto& moved : moved_) {
    if (moved.type == RecordType::message) index_.put_doubtful_copy(moved.id, slot);
  }
}

Result<void> Recycler::write() {
  const auto stream = destination();
  if (must_leave_ && stream == Stream::incoming) {
    return fail(ErrorClass::temporary, "no room in the deferred log", ENOSPC);
  }
  const auto place = log_.append(stream, group_, 0);
  if (!place) {
    deferred_failed_ = stream == Stream::deferred;
    if (stream == Stream::deferred && log_.is_unsettled(stream)) doubt_copies();
    return fail_with(Result<SegmentLog::GroupPlace>(place));
  }
  for (std::size_t i = 0; i < moved_.size(); ++i) {
    const auto& built = group_.records()[i];
    moved_[i].state.group_written({place->slot, static_cast<std::uint32_t>(place->offset)});
    const Place at{place->slot, static_cast<std::uint32_t>(place->offset + built.offset),
                   built.header.head_bytes, built.header.content_bytes, moved_[i].envelope_bytes};
    if (moved_[i].type == RecordType::message) {
      index_.put_message(moved_[i].id, at, std::move(moved_[i].state), moved_[i].file_bytes);
    } else {
      index_.put_state(moved_[i].id, at.slot, std::move(moved_[i].state), &at);
    }
  }
  for (const auto& [slot, ids] : dead_) {
    for (const auto id : ids) index_.finish(id, place->slot);
  }
  drop_step();
  return {};
}

}  // namespace sternpost::spool

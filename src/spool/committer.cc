#include "spool/committer.h"

#include <algorithm>
#include <utility>

namespace sternpost::spool {
namespace {

std::unexpected<Error> unknown(QueueId id) {
  return fail(ErrorClass::permanent, "no message " + to_string(id) + " in the queue");
}

/// Recipients of `before` whose address is another one in `after`.
std::vector<std::uint32_t> changed_recipients(const mail::Envelope& before, const mail::Envelope& after) {
  std::vector<std::uint32_t> changed;
  for (std::uint32_t i = 0; i < before.recipients.size(); ++i) {
    if (before.recipients[i] != after.recipients[i]) changed.push_back(i);
  }
  return changed;
}

constexpr std::uint64_t kContentFileBytes = 8 + 8;

/// What a record takes for what it settles.
std::uint64_t settles_bytes(const AddMessage& op) {
  return op.settles ? encode(Settles{*op.settles, false}).size() : 0;
}

std::unexpected<Error> full() {
  return fail(ErrorClass::temporary, "the spool is full", ENOSPC);
}

std::uint64_t growth_of(std::uint64_t before, std::uint64_t after) {
  return after > before ? after - before : 0;
}

bool only_defers(const RecordOutcomes& op) {
  return std::ranges::none_of(op.outcomes, [](const auto& one) { return mail::is_final(one.disposition); });
}

std::uint64_t text_bytes(const RecordOutcomes& op) {
  std::uint64_t bytes = 0;
  for (const auto& one : op.outcomes) bytes += one.text_bytes();
  return bytes;
}

/// The same without what is said of attempts that will be made again.
RecordOutcomes without_deferred_texts(RecordOutcomes op) {
  for (auto& one : op.outcomes) {
    if (!mail::is_final(one.disposition)) one.drop_texts();
  }
  return op;
}

/// What may be found out again after a crash: an attempt that did not deliver.
bool may_be_forgotten(const RecordOutcomes& op) {
  return std::ranges::all_of(op.outcomes, [](const auto& one) {
    return one.disposition == mail::Disposition::deferred || one.disposition == mail::Disposition::failed;
  });
}

}  // namespace

Committer::Committer(SegmentLog& log, Index& index, IdSet& committed, Housekeeper& housekeeper,
                     const CommitLimits& limits)
    : log_(log),
      index_(index),
      committed_(committed),
      reader_(log),
      limits_(limits),
      housekeeper_(housekeeper) {}

std::vector<Result<void>> Committer::commit(std::span<const Op> ops) {
  std::vector<Result<void>> results(ops.size());
  results_ = &results;
  for (op_ = 0; op_ < ops.size(); ++op_) {
    auto staged = std::visit([this](const auto& op) { return stage(op); }, ops[op_]);
    if (staged) continue;
    results[op_] = std::move(staged);
    if (depends_on_pending(ops[op_])) refused_on_pending_.push_back(op_);
  }
  flush();
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (!results[i]) note_refused(ops[i]);
  }
  results_ = nullptr;
  return results;
}

/// The file of an id that was used already belongs to the message that has it.
void Committer::note_refused(const Op& op) {
  const auto* message = std::get_if<AddMessage>(&op);
  if (message == nullptr || !message->file || was_committed(message->id)) return;
  refused_files_.push_back(message->id);
}

std::vector<QueueId> Committer::take_discarded() {
  if (log_.is_unsettled(Stream::incoming)) return {};
  auto ids = std::exchange(refused_files_, {});
  std::erase_if(ids, [this](QueueId id) { return was_committed(id); });  // at another try
  return ids;
}

bool Committer::was_committed(QueueId id) const {
  return committed_.contains(id) || (committed_.is_below(id) && index_.knows(id));
}

bool Committer::depends_on_pending(const Op& op) const {
  const auto* message = std::get_if<AddMessage>(&op);
  if (message != nullptr && message->settles && latest_.contains(message->settles->id)) return true;
  return latest_.contains(std::visit([](const auto& any) { return any.id; }, op));
}

std::optional<MessageState> Committer::current(QueueId id) const {
  if (const auto at = latest_.find(id); at != latest_.end()) {
    const auto& state = pending_[at->second].state;
    if (state.settled()) return std::nullopt;
    return state;
  }
  auto message = index_.find(id);
  if (!message) return std::nullopt;
  return std::move(message->state);
}

RecordPlace Committer::last_record() const {
  return {kThisGroup, static_cast<std::uint32_t>(group_.records().back().offset)};
}

void Committer::pend(QueueId id, RecordType type, MessageState state, std::size_t envelope_bytes) {
  latest_[id] = pending_.size();
  pending_.push_back({op_, group_.records().size() - 1, id, std::move(state), type,
                      static_cast<std::uint32_t>(envelope_bytes)});
}

Result<void> Committer::check(const AddMessage& op) const {
  if (!log_.was_leased(op.id)) return fail(ErrorClass::permanent, "this queue id was not leased");
  if (latest_.contains(op.id) || was_committed(op.id)) {
    return fail(ErrorClass::permanent, "this queue id was used already");
  }
  if (op.envelope.recipients.empty()) return fail(ErrorClass::permanent, "a message without recipients");
  if (op.file && (op.file->bytes == 0 || !op.content.empty())) {
    return fail(ErrorClass::permanent, "a content file that is empty, or content beside it");
  }
  if ((op.file ? op.file->bytes : op.content.size()) > limits_.max_message_bytes) {
    return fail(ErrorClass::permanent, "the message is too large");
  }
  return {};
}

Result<void> Committer::stage(const AddMessage& op) {
  if (auto checked = check(op); !checked) return checked;
  const auto recipients = static_cast<std::uint32_t>(op.envelope.recipients.size());
  begin_head(op);
  const auto settled = op.settles ? state_after(*op.settles) : MessageState();
  if (!settled) return fail_with(Result<MessageState>(settled));
  const auto file_bytes = op.file ? kContentFileBytes : 0;
  const auto most = kRecordHeaderBytes + op.content.size() + file_bytes + head_.state.envelope.size() +
                    (recipients + 1ULL) * kBareStateBytes + settles_bytes(op);
  if (most > log_.capacity() / 2)
    return fail(ErrorClass::permanent, "the message is too large for a segment");
  if (auto works = housekeeper_.disk_works(); !works) return works;
  const auto need = op.settles ? added_need(op.settles->id, *settled, most) : 0;
  if (auto may = admit(most, most + need); !may) return may;
  return add_message(op);
}

void Committer::begin_head(const AddMessage& op) {
  head_.kind = op.file ? ContentKind::file : ContentKind::inline_bytes;
  head_.settles.reset();
  head_.state.held = op.held;
  head_.state.recipients = static_cast<std::uint32_t>(op.envelope.recipients.size());
  head_.state.envelope.clear();
  Encoder(head_.state.envelope).put(op.envelope);
}

/// What is settled is looked at again: what was pending may have been written, or not.
Result<void> Committer::add_message(const AddMessage& op) {
  std::optional<MessageState> settled;
  if (op.settles) {
    auto state = state_after(*op.settles);
    if (!state) return fail_with(std::move(state));
    head_.settles = Settles{*op.settles, state->settled()};
    settled = std::move(*state);
  }
  if (op.file) {
    group_.add(RecordType::message, op.id, head_, encode(*op.file));
  } else {
    group_.add_borrowing(RecordType::message, op.id, head_, op.content);
  }
  pend(op.id, RecordType::message, MessageState(head_.state.recipients, op.held),
       head_.state.envelope.size());
  if (op.file) pending_.back().file_bytes = op.file->bytes;
  if (settled) pend(op.settles->id, RecordType::outcome, std::move(*settled));
  return {};
}

Result<void> Committer::stage(const ReplaceEnvelope& op) {
  if (latest_.contains(op.id)) flush();  // the envelope to compare with must be on the disk
  auto message = index_.find(op.id);
  if (!message) return unknown(op.id);
  const auto recipients = static_cast<std::uint32_t>(op.envelope.recipients.size());
  if (recipients < message->state.recipients()) {
    return fail(ErrorClass::permanent, "a new envelope with fewer recipients");
  }
  auto before = reader_.envelope(message->envelope);
  if (!before) return fail_with(std::move(before));
  if (before->recipients.size() != message->state.recipients()) {
    return fail(ErrorClass::internal, "the envelope does not fit the state of its recipients");
  }
  const auto changed = changed_recipients(*before, op.envelope);
  auto& state = message->state;
  if (!std::ranges::all_of(changed, [&](std::uint32_t i) { return state.is_open(i); })) {
    return fail(ErrorClass::permanent, "a new envelope changes a recipient that is finished");
  }
  state.resize(recipients, changed);
  if (auto read = reader_.texts(state); !read) return read;
  auto envelope = encode(op.envelope);
  const auto most = kRecordHeaderBytes + message->data.content_bytes + envelope.size() +
                    (recipients + 1ULL) * kBareStateBytes;
  if (most > log_.capacity() / 2)
    return fail(ErrorClass::permanent, "the envelope is too large for a segment");
  const auto record = to_record(state, std::move(envelope), log_.capacity() / 2 - kRecordHeaderBytes);
  if (auto may = admit(kRecordHeaderBytes + encode(record).size(), most); !may) return may;
  group_.add(RecordType::envelope, op.id, record);
  state.leave_texts_in(last_record());
  pend(op.id, RecordType::envelope, std::move(state), record.envelope.size());
  return {};
}

Result<void> Committer::stage(const RecordOutcomes& op) {
  OutcomeHead head{op.outcomes, false};
  const auto bytes = kRecordHeaderBytes + encode(head).size();
  if (bytes > log_.capacity() / 2) return fail(ErrorClass::permanent, "too many outcomes at once");
  if (only_defers(op) && !may_defer(op, bytes)) return remember(op);
  flush_before(bytes);  // before looking at the state, which it may change
  auto state = state_after(op);
  if (state && !state->settled()) {
    if (auto may = admit_state(op.id, *state, bytes); !may) return may_be_forgotten(op) ? remember(op) : may;
    state = state_after(op);
  }
  if (!state) return fail_with(std::move(state));
  head.finishes = state->settled();
  group_.add(RecordType::outcome, op.id, head);
  state->leave_texts_in(last_record(), op.outcomes);
  pend(op.id, RecordType::outcome, std::move(*state));
  return {};
}

template <class Change>
Result<MessageState> Committer::changed(QueueId id, const Change& change) const {
  auto state = current(id);
  if (!state) return unknown(id);
  if (auto checked = state->check(change); !checked) return fail_with(std::move(checked));
  state->apply(change);
  return std::move(*state);
}

Result<MessageState> Committer::state_after(const RecordOutcomes& op) const {
  return changed(op.id, op.outcomes);
}

Result<MessageState> Committer::state_after(const Settlement& settlement) const {
  return changed(settlement.id, settlement);
}

Result<void> Committer::stage_mark(QueueId id, MarkKind kind) {
  auto state = current(id);
  if (!state) return unknown(id);
  const bool held = kind == MarkKind::hold;
  if (state->held == held && !latest_.contains(id)) return {};
  constexpr auto kBytes = kRecordHeaderBytes + sizeof(MarkKind);
  if (held) {
    if (auto may = admit(kBytes, state_bytes(id)); !may) return may;
  } else {
    flush_before(kBytes);
    if (auto may = admit_state(id, *state, kBytes); !may) return may;
  }
  state = current(id);
  if (!state) return unknown(id);
  state->held = held;
  group_.add(RecordType::mark, id, Mark{kind});
  pend(id, RecordType::mark, std::move(*state));
  return {};
}

void Committer::flush_before(std::uint64_t record_bytes) {
  // A group stops where the segment does, so that segments are filled; only its first record opens the next
  // one.
  auto limit = std::min(limits_.max_group_bytes, log_.capacity());
  if (log_.room(Stream::incoming) >= group_.extent()) limit = std::min(limit, log_.room(Stream::incoming));
  if (!group_.empty() && group_.extent() + record_bytes > limit) flush();
  if (group_.empty()) keep_spares_ = housekeeper_.make_room(GroupBuilder::extent_of(record_bytes));
}

bool Committer::may_add(std::uint64_t record_bytes, std::uint64_t need) const {
  return housekeeper_.may_add(group_.extent_with(record_bytes), group_need_ + need);
}

std::uint64_t Committer::state_bytes(QueueId id) const {
  const auto message = index_.find(id);
  return message ? Index::state_bytes(*message) : 0;
}

bool Committer::may_defer(const RecordOutcomes& op, std::uint64_t record_bytes) {
  const auto need = state_bytes(op.id) + text_bytes(op);
  if (may_add(record_bytes, need)) return true;
  if (!housekeeper_.may_grow()) return false;
  flush();
  housekeeper_.make_room_to_add(GroupBuilder::extent_of(record_bytes), need);
  return may_add(record_bytes, need);
}

Result<void> Committer::admit(std::uint64_t record_bytes, std::uint64_t need) {
  flush_before(record_bytes);
  if (!may_add(record_bytes, need)) {
    flush();
    housekeeper_.make_room_to_add(GroupBuilder::extent_of(record_bytes), need);
  }
  if (!may_add(record_bytes, need)) return full();
  group_need_ += need;
  return {};
}

std::uint64_t Committer::added_need(QueueId id, const MessageState& after, std::uint64_t record_bytes) const {
  const auto message = index_.find(id);
  const auto before = current(id);
  if (!before) return 0;
  const auto growth = growth_of(before->record_bytes(), after.record_bytes());
  if (latest_.contains(id) || !message) return growth;
  const bool fits = group_.extent_with(record_bytes) <= log_.room(Stream::incoming);
  if (fits && Index::holds_state(*message, *log_.active(Stream::incoming))) return growth;
  return Index::state_bytes(*message) + growth;
}

bool Committer::may_keep(std::uint64_t record_bytes, std::uint64_t need) const {
  return housekeeper_.may_keep(group_.extent_with(record_bytes), {group_need_ + need, pending_.size() + 1});
}

Result<void> Committer::admit_state(QueueId id, const MessageState& after, std::uint64_t record_bytes) {
  if (!may_keep(record_bytes, added_need(id, after, record_bytes))) {
    flush();
    const Index::Need alone{added_need(id, after, record_bytes), 1};
    housekeeper_.make_room_to_keep(GroupBuilder::extent_of(record_bytes), alone);
  }
  const auto need = added_need(id, after, record_bytes);
  if (!may_keep(record_bytes, need)) return full();
  group_need_ += need;
  return {};
}

Result<void> Committer::remember(const RecordOutcomes& op) {
  if (latest_.contains(op.id)) flush();
  auto state = state_after(without_deferred_texts(op));
  if (!state) return fail_with(std::move(state));
  // The reason of a failure takes room when the state is written again. A deferral must not.
  const auto growth = growth_of(current(op.id)->record_bytes(), state->record_bytes());
  const bool active_grows = growth > 0 && log_.active(Stream::incoming) &&
                            Index::holds_state(*index_.find(op.id), *log_.active(Stream::incoming));
  if (active_grows && !housekeeper_.may_keep(0, {group_need_ + growth, pending_.size() + 1})) return full();
  index_.remember(op.id, std::move(*state));
  ++deferrals_in_memory_;
  return {};
}

void Committer::flush() {
  if (pending_.empty()) return;
  const auto place = log_.begin_append(Stream::incoming, group_, keep_spares_);
  if (place) prepare(*place);
  const auto durable = place ? log_.end_append() : Result<void>(std::unexpected(place.error()));
  if (durable) {
    take(place->slot);
  } else {
    refuse(durable.error());
  }
  refused_on_pending_.clear();
  group_.clear();
  group_need_ = 0;
  pending_.clear();
  latest_.clear();
}

/// While the disk writes, what can be done before anyone may know of it.
void Committer::prepare(const SegmentLog::GroupPlace& group) {
  for (auto& pending : pending_) {
    const auto& built = group_.records()[pending.record];
    pending.state.group_written({group.slot, static_cast<std::uint32_t>(group.offset)});
    pending.place = {group.slot, static_cast<std::uint32_t>(group.offset + built.offset),
                     built.header.head_bytes, built.header.content_bytes, pending.envelope_bytes};
    if (pending.type != RecordType::message) continue;
    arrivals_.add(pending.id,
                  {pending.place, pending.place, std::move(pending.state), {}, pending.file_bytes});
  }
}

void Committer::take(std::uint32_t slot) {
  index_.put_messages(arrivals_);
  for (auto& pending : pending_) {
    if (pending.type == RecordType::message) {
      committed_.insert(pending.id);
    } else if (pending.state.settled()) {
      index_.finish(pending.id, slot);
    } else {
      index_.put_state(pending.id, slot, std::move(pending.state),
                       pending.type == RecordType::envelope ? &pending.place : nullptr);
    }
  }
}

void Committer::refuse(const Error& error) {
  for (const auto& pending : pending_) (*results_)[pending.op] = std::unexpected(error);
  for (const auto op : refused_on_pending_) (*results_)[op] = std::unexpected(error);
  arrivals_.clear();
}

}  // namespace sternpost::spool

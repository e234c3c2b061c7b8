#include "spool/replay.h"

#include "spool/content_file.h"

namespace sternpost::spool {
namespace {

Place place_of(const RecordView& record, std::uint32_t slot, const FullState& state) {
  return {slot, static_cast<std::uint32_t>(record.offset), record.header.head_bytes,
          record.header.content_bytes, static_cast<std::uint32_t>(state.envelope.size())};
}

std::optional<MessageState> state_of(FullState&& full, const Place& place) {
  auto state = MessageState::from(full.recipients, full.held, full.warned, std::move(full.attempted));
  if (state) state->leave_texts_in({place.slot, place.offset});
  return state;
}

ReplayFault replay_message(const RecordView& record, std::uint32_t slot, Index& index) {
  auto head = decode<MessageHead>(record.head);
  if (!head) return ReplayFault::malformed;
  const auto file = head->kind == ContentKind::file ? decode<ContentFile>(record.content) : std::nullopt;
  if (head->kind == ContentKind::file && (!file || !is_possible(*file))) return ReplayFault::malformed;
  const auto place = place_of(record, slot, head->state);
  auto state = state_of(std::move(head->state), place);
  if (!state || state->settled()) return ReplayFault::malformed;
  if (index.find_finished(record.header.id) != nullptr) {
    index.put_copy_of_finished(record.header.id, slot);  // only a damaged log says so
    return ReplayFault::none;
  }
  index.put_message(record.header.id, place, std::move(*state), file ? file->bytes : 0);
  return ReplayFault::none;
}

ReplayFault replay_envelope(const RecordView& record, std::uint32_t slot, Index& index) {
  auto head = decode<FullState>(record.head);
  if (!head) return ReplayFault::malformed;
  const auto place = place_of(record, slot, *head);
  auto state = state_of(std::move(*head), place);
  if (!state || state->settled()) return ReplayFault::malformed;
  index.put_state(record.header.id, slot, std::move(*state), &place);
  return ReplayFault::none;
}

ReplayFault replay_outcome(const RecordView& record, std::uint32_t slot, Index& index) {
  const auto head = decode<OutcomeHead>(record.head);
  if (!head) return ReplayFault::malformed;
  if (head->finishes) {
    index.finish(record.header.id, slot);
    return ReplayFault::none;
  }
  auto message = index.find(record.header.id);
  if (!message) return ReplayFault::none;  // its message record was in a segment that is recycled
  auto& state = message->state;
  if (!state.check(head->outcomes)) return ReplayFault::misfit;
  state.apply(head->outcomes);
  if (state.settled()) return ReplayFault::misfit;
  state.leave_texts_in({slot, static_cast<std::uint32_t>(record.offset)}, head->outcomes);
  index.put_state(record.header.id, slot, std::move(state));
  return ReplayFault::none;
}

ReplayFault replay_mark(const RecordView& record, std::uint32_t slot, Index& index) {
  const auto mark = decode<Mark>(record.head);
  if (!mark) return ReplayFault::malformed;
  if (mark->kind == MarkKind::closed) return ReplayFault::none;
  auto message = index.find(record.header.id);
  if (!message) return ReplayFault::none;
  message->state.held = mark->kind == MarkKind::hold;
  index.put_state(record.header.id, slot, std::move(message->state));
  return ReplayFault::none;
}

}  // namespace

std::string_view to_string(ReplayFault fault) {
  switch (fault) {
    case ReplayFault::none:
      break;
    case ReplayFault::malformed:
      return "a record's head is malformed";
    case ReplayFault::misfit:
      return "outcomes do not fit the envelope before them";
  }
  return "";
}

ReplayFault replay(const RecordView& record, std::uint32_t slot, Index& index, IdSet& committed) {
  if (record.header.id != QueueId{}) committed.insert(record.header.id);
  switch (record.header.type) {
    case RecordType::message:
      return replay_message(record, slot, index);
    case RecordType::envelope:
      return replay_envelope(record, slot, index);
    case RecordType::outcome:
      return replay_outcome(record, slot, index);
    case RecordType::mark:
      return replay_mark(record, slot, index);
    case RecordType::dead_list: {
      const auto list = decode<DeadList>(record.head);
      if (!list) return ReplayFault::malformed;
      for (const auto id : list->ids) {
        committed.insert(id);
        index.finish(id, slot);
      }
      return ReplayFault::none;
    }
  }
  return ReplayFault::malformed;
}

ReplayFault replay(const Settles& settles, std::uint32_t slot, Index& index) {
  const auto& settlement = settles.settlement;
  if (settles.finishes) {
    index.finish(settlement.id, slot);
    return ReplayFault::none;
  }
  auto message = index.find(settlement.id);
  if (!message) return ReplayFault::none;
  auto& state = message->state;
  if (!state.may_have_taken(settlement)) return ReplayFault::misfit;
  state.apply(settlement);
  if (state.settled()) return ReplayFault::misfit;
  index.put_state(settlement.id, slot, std::move(state));
  return ReplayFault::none;
}

}  // namespace sternpost::spool

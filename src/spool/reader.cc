#include "spool/reader.h"

#include <set>

namespace sternpost::spool {
namespace {

template <class AnyPlace>
std::unexpected<Error> damaged(const AnyPlace& place) {
  return fail(ErrorClass::permanent, "the record at " + std::to_string(place.offset) + " of " +
                                         segment_name(place.slot) + " is damaged");
}

/// The outcomes in a record that has such.
std::vector<mail::RecipientOutcome> outcomes_in(RecordType type, std::string_view head) {
  if (type == RecordType::outcome) {
    auto decoded = decode<OutcomeHead>(head);
    return decoded ? std::move(decoded->outcomes) : std::vector<mail::RecipientOutcome>{};
  }
  std::vector<Attempted> attempted;
  if (type == RecordType::message) {
    if (auto decoded = decode<MessageHead>(head)) attempted = std::move(decoded->state.attempted);
  } else if (type == RecordType::envelope) {
    if (auto decoded = decode<FullState>(head)) attempted = std::move(decoded->attempted);
  }
  std::vector<mail::RecipientOutcome> outcomes;
  outcomes.reserve(attempted.size());
  for (auto& one : attempted) outcomes.push_back(std::move(one.last));
  return outcomes;
}

}  // namespace

bool Reader::is_of(QueueId id, const Place& place) {
  const auto bytes = log_.read(place.slot, place.offset, kRecordHeaderBytes + place.head_bytes);
  RecordView view;
  return bytes && parse_head(*bytes, SegmentIdentity(log_.segments()[place.slot].header), view) &&
         view.header.id == id;
}

Result<Reader::Head> Reader::head(const RecordPlace& place) {
  auto bytes = log_.read(place.slot, place.offset, kRecordHeaderBytes);
  if (!bytes) return fail_with(std::move(bytes));
  const SegmentIdentity identity(log_.segments()[place.slot].header);
  const auto header = decode<RecordHeader>(*bytes);
  if (!header || header->head_bytes > log_.segments()[place.slot].end - place.offset) return damaged(place);
  bytes = log_.read(place.slot, place.offset, kRecordHeaderBytes + header->head_bytes);
  if (!bytes) return fail_with(std::move(bytes));
  RecordView view;
  if (!parse_head(*bytes, identity, view)) return damaged(place);
  return Head{view.header.type, std::string(view.head)};
}

Result<void> Reader::texts(MessageState& state) {
  std::set<RecordPlace> places;
  for (const auto& one : state.attempted()) {
    if (one.texts_bytes > 0) places.insert(one.texts_at);
  }
  for (const auto& place : places) {
    auto read = texts(state, place);
    if (!read && read.error().what_to_do != ErrorClass::permanent) return read;
  }
  state.drop_texts_on_disk();
  return {};
}

Result<void> Reader::texts(MessageState& state, const RecordPlace& place) {
  const auto found = head(place);
  if (!found) return fail_with(Result<Head>(found));
  for (const auto& outcome : outcomes_in(found->type, found->bytes)) {
    const auto* attempted = state.find(outcome.recipient);
    if (attempted == nullptr || attempted->texts_bytes == 0 || attempted->texts_at != place) continue;
    state.restore_texts(outcome.recipient, outcome.reply.text, outcome.remote);
  }
  return {};
}

Result<std::string> Reader::envelope_bytes(const Place& place) {
  const auto bytes = log_.read(place.slot, place.offset, kRecordHeaderBytes + place.head_bytes);
  if (!bytes) return fail_with(Result<std::string>(bytes));
  RecordView view;
  if (!parse_head(*bytes, SegmentIdentity(log_.segments()[place.slot].header), view)) return damaged(place);
  auto envelope = envelope_bytes(view);
  if (!envelope) return damaged(place);
  return std::move(*envelope);
}

std::optional<std::string> Reader::envelope_bytes(const RecordView& record) {
  if (record.header.type == RecordType::message) {
    if (auto head = decode<MessageHead>(record.head)) return std::move(head->state.envelope);
  } else if (auto state = decode<FullState>(record.head)) {
    return std::move(state->envelope);
  }
  return std::nullopt;
}

Result<mail::Envelope> Reader::envelope(const Place& place) {
  auto bytes = envelope_bytes(place);
  if (!bytes) return fail_with(std::move(bytes));
  auto envelope = decode<mail::Envelope>(*bytes);
  if (!envelope) return damaged(place);
  return std::move(*envelope);
}

Result<Reader::Content> Reader::content(const Place& place) {
  auto bytes = log_.read(place.slot, place.offset, place.bytes());
  if (!bytes) return fail_with(std::move(bytes));
  RecordView view;
  const SegmentIdentity identity(log_.segments()[place.slot].header);
  if (parse_record(*bytes, identity, view) != RecordFault::none) return damaged(place);
  Content content;
  if (content_kind_of(view.head) == ContentKind::file) {
    content.file = decode<ContentFile>(view.content);
    if (!content.file) return damaged(place);
    return content;
  }
  bytes->erase(0, kRecordHeaderBytes + view.head.size());
  content.inside = std::move(*bytes);
  return content;
}

FullState to_record(MessageState& state, std::string envelope, std::uint64_t max_bytes) {
  FullState record{state.held, state.warned, state.recipients(), state.attempted(), std::move(envelope)};
  for (const auto next : {mail::Disposition::deferred, mail::Disposition::failed}) {
    if (encode(record).size() <= max_bytes) break;
    state.drop_texts(next);
    record.attempted = state.attempted();
  }
  return record;
}

}  // namespace sternpost::spool

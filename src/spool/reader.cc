#include "spool/reader.h"

namespace sternpost::spool {
namespace {

std::unexpected<Error> damaged(const Place& place) {
  return fail(ErrorClass::permanent, "the record at " + std::to_string(place.offset) + " of " +
                                         segment_name(place.slot) + " is damaged");
}

}  // namespace

Result<std::string> Reader::envelope_bytes(const Message& message) {
  const auto& place = message.envelope;
  const auto bytes = log_.read(place.slot, place.offset, kRecordHeaderBytes + place.head_bytes);
  if (!bytes) return fail_with(Result<std::string>(bytes));
  RecordView view;
  if (!parse_head(*bytes, SegmentIdentity(log_.segments()[place.slot].header), view)) return damaged(place);
  if (view.header.type == RecordType::message) {
    if (auto head = decode<MessageHead>(view.head)) return std::move(head->state.envelope);
  } else if (auto state = decode<FullState>(view.head)) {
    return std::move(state->envelope);
  }
  return damaged(place);
}

Result<mail::Envelope> Reader::envelope(const Message& message) {
  auto bytes = envelope_bytes(message);
  if (!bytes) return fail_with(std::move(bytes));
  auto envelope = decode<mail::Envelope>(*bytes);
  if (!envelope) return damaged(message.envelope);
  return std::move(*envelope);
}

Result<std::string> Reader::content(const Message& message) {
  const auto& place = message.data;
  auto bytes = log_.read(place.slot, place.offset, place.bytes());
  if (!bytes) return fail_with(std::move(bytes));
  RecordView view;
  const SegmentIdentity identity(log_.segments()[place.slot].header);
  if (parse_record(*bytes, identity, view) != RecordFault::none) return damaged(place);
  bytes->erase(0, kRecordHeaderBytes + view.head.size());
  return std::move(*bytes);
}

FullState to_record(const MessageState& state, std::string envelope, std::uint64_t max_bytes) {
  FullState record{state.held, state.warned, state.recipients(), state.attempted(), std::move(envelope)};
  for (const auto next : {mail::Disposition::deferred, mail::Disposition::failed}) {
    if (encode(record).size() <= max_bytes) break;
    for (auto& one : record.attempted) {
      if (one.last.disposition == next) one.last.drop_texts();
    }
  }
  return record;
}

}  // namespace sternpost::spool

#include "spool/packed_message.h"

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

namespace sternpost::spool {
namespace {

/// What a message has beside what each has.
enum Flags : std::uint64_t {
  kHeld = 1,
  kWarned = 2,
  kOwnEnvelope = 4,  ///< the envelope is not where the data is
  kAttempted = 8,
  kStateSlots = 16,
  kContentFile = 32,
};

/// What an attempt has beside its numbers; above it, its disposition.
enum AttemptFlags : std::uint64_t {
  kTextsHere = 1,
  kTextsElsewhere = 2,
};
constexpr unsigned kDispositionShift = 2;

void put(PackedWriter& out, const Place& place) {
  out.number(place.slot);
  out.number(place.offset);
  out.number(place.head_bytes);
  out.number(place.content_bytes);
  out.number(place.envelope_bytes);
}

void get(PackedReader& in, Place& place) {
  in.number(place.slot);
  in.number(place.offset);
  in.number(place.head_bytes);
  in.number(place.content_bytes);
  in.number(place.envelope_bytes);
}

/// Behind the index of the one before it.
void put(PackedWriter& out, const Attempted& attempted, std::uint32_t next) {
  const auto& last = attempted.last;
  const bool here = last.text_bytes() > 0;
  const bool elsewhere = attempted.texts_bytes > 0;
  out.number(std::uint64_t{static_cast<unsigned>(last.disposition)} << kDispositionShift |
             (here ? kTextsHere : 0) | (elsewhere ? kTextsElsewhere : 0));
  out.number(last.recipient - next);
  out.number(attempted.attempts);
  out.number(last.reply.code);
  out.number(last.reply.status.status_class);
  out.number(last.reply.status.subject);
  out.number(last.reply.status.detail);
  out.number(static_cast<std::uint64_t>(last.attempted.microseconds));
  if (here) {
    out.text(last.reply.text);
    out.text(last.remote);
  }
  if (elsewhere) {
    out.number(attempted.texts_at.slot);
    out.number(attempted.texts_at.offset);
    out.number(attempted.texts_bytes);
  }
}

void get(PackedReader& in, Attempted& attempted, std::uint32_t next) {
  auto& last = attempted.last;
  const auto flags = in.number();
  const auto disposition = flags >> kDispositionShift;
  last.disposition =
      static_cast<mail::Disposition>(std::min<std::uint64_t>(disposition, kEnumBound<mail::Disposition> - 1));
  last.recipient = next + static_cast<std::uint32_t>(in.number());
  in.number(attempted.attempts);
  in.number(last.reply.code);
  in.number(last.reply.status.status_class);
  in.number(last.reply.status.subject);
  in.number(last.reply.status.detail);
  in.number(last.attempted.microseconds);
  if ((flags & kTextsHere) != 0) {
    in.text(last.reply.text);
    in.text(last.remote);
  }
  if ((flags & kTextsElsewhere) != 0) {
    in.number(attempted.texts_at.slot);
    in.number(attempted.texts_at.offset);
    in.number(attempted.texts_bytes);
  }
}

void put(PackedWriter& out, const Message& message) {
  const auto& state = message.state;
  const bool own_envelope = message.envelope != message.data;
  out.number((state.held ? kHeld : 0U) | (state.warned ? kWarned : 0U) | (own_envelope ? kOwnEnvelope : 0U) |
             (state.attempted().empty() ? 0U : kAttempted) |
             (message.state_slots.empty() ? 0U : kStateSlots) |
             (message.file_bytes == 0 ? 0U : kContentFile));
  put(out, message.data);
  if (message.file_bytes > 0) out.number(message.file_bytes);
  if (own_envelope) put(out, message.envelope);
  out.number(state.recipients());
  if (!state.attempted().empty()) {
    out.number(state.attempted().size());
    std::uint32_t next = 0;
    for (const auto& one : state.attempted()) {
      put(out, one, next);
      next = one.last.recipient + 1;
    }
  }
  if (!message.state_slots.empty()) {
    out.number(message.state_slots.size());
    for (const auto slot : message.state_slots) out.number(slot);
  }
}

struct Beginning {
  std::uint64_t flags = 0;
  Outline outline;
};

Beginning get_outline(PackedReader& in) {
  Beginning begun{in.number(), {}};
  auto& outline = begun.outline;
  outline.held = (begun.flags & kHeld) != 0;
  get(in, outline.data);
  if ((begun.flags & kContentFile) != 0) outline.file_bytes = in.number();
  outline.envelope = outline.data;
  if ((begun.flags & kOwnEnvelope) != 0) get(in, outline.envelope);
  return begun;
}

/// Nothing where that was never put.
std::optional<Message> get(PackedReader& in) {
  const auto [flags, outline] = get_outline(in);
  Message message{outline.data, outline.envelope, {}, {}, outline.file_bytes};
  const auto recipients = static_cast<std::uint32_t>(in.number());
  std::vector<Attempted> attempted((flags & kAttempted) != 0 ? in.count() : 0);
  std::uint32_t next = 0;
  for (auto& one : attempted) {
    get(in, one, next);
    next = one.last.recipient + 1;
  }
  if ((flags & kStateSlots) != 0) message.state_slots.resize(in.count());
  for (auto& slot : message.state_slots) in.number(slot);
  if (in.failed()) return std::nullopt;
  auto state = MessageState::from(recipients, outline.held, (flags & kWarned) != 0, std::move(attempted));
  if (!state) return std::nullopt;
  message.state = std::move(*state);
  return message;
}

}  // namespace

PackedMessage::PackedMessage(const Message& message) {
  PackedWriter out;
  put(out, message);
  bytes_ = out.counted_block();
}

Message PackedMessage::unpack() const {
  auto in = PackedReader::of_counted(bytes_.get());
  return *get(in);
}

Outline PackedMessage::outline() const {
  auto in = PackedReader::of_counted(bytes_.get());
  return get_outline(in).outline;
}

std::string_view PackedMessage::bytes() const {
  const auto in = PackedReader::of_counted(bytes_.get());
  return {in.at(), in.left()};
}

std::optional<Message> PackedMessage::parse(std::string_view bytes) {
  PackedReader in(bytes);
  auto message = get(in);
  if (in.left() > 0) return std::nullopt;
  return message;
}

}  // namespace sternpost::spool

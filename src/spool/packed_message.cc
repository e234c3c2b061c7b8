#include "spool/packed_message.h"

#include <algorithm>
#include <limits>
#include <string>
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
};

/// What an attempt has beside its numbers; above it, its disposition.
enum AttemptFlags : std::uint64_t {
  kTextsHere = 1,
  kTextsElsewhere = 2,
};
constexpr unsigned kDispositionShift = 2;

constexpr std::uint64_t kMore = 0x80;
constexpr unsigned kBitsOfByte = 7;
constexpr unsigned kBitsOfInteger = 64;

/// Where bytes are only counted, and where they are written.
class Counter {
 public:
  void put(std::uint64_t value) {
    for (; value >= kMore; value >>= kBitsOfByte) ++size_;
    ++size_;
  }
  void put(std::string_view text) {
    put(text.size());
    size_ += text.size();
  }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  std::size_t size_ = 0;
};

class Writer {
 public:
  explicit Writer(char* at) : at_(at) {}
  void put(std::uint64_t value) {
    for (; value >= kMore; value >>= kBitsOfByte) *at_++ = static_cast<char>(value | kMore);
    *at_++ = static_cast<char>(value);
  }
  void put(std::string_view text) {
    put(text.size());
    at_ = std::copy(text.begin(), text.end(), at_);
  }

 private:
  char* at_;
};

/// What was packed here needs no bounds: it has kNoBound. What a file says does, and ended() tells of the
/// breach.
class Reader {
 public:
  static constexpr std::size_t kNoBound = std::numeric_limits<std::size_t>::max() / 2;

  Reader(const char* at, std::size_t size) : at_(at), left_(size) {}
  std::uint64_t get() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < kBitsOfInteger; shift += kBitsOfByte) {
      if (left_ == 0) break;
      --left_;
      const auto byte = static_cast<unsigned char>(*at_++);
      value |= (byte & (kMore - 1)) << shift;
      if (byte < kMore) return value;
    }
    ended_ = true;
    return 0;
  }
  template <class Integer>
  void get(Integer& value) {
    value = static_cast<Integer>(get());
  }
  void get(std::string& text) {
    const auto size = count();
    text.assign(at_, size);
    at_ += size;
    left_ -= size;
  }
  /// Of things that take a byte at least.
  std::size_t count() {
    const auto size = get();
    if (size <= left_) return size;
    ended_ = true;
    return 0;
  }
  [[nodiscard]] const char* at() const { return at_; }
  [[nodiscard]] std::size_t left() const { return left_; }
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  const char* at_;
  std::size_t left_;
  bool ended_ = false;
};

template <class Sink>
void put(Sink& sink, const Place& place) {
  sink.put(place.slot);
  sink.put(place.offset);
  sink.put(place.head_bytes);
  sink.put(place.content_bytes);
  sink.put(place.envelope_bytes);
}

void get(Reader& in, Place& place) {
  in.get(place.slot);
  in.get(place.offset);
  in.get(place.head_bytes);
  in.get(place.content_bytes);
  in.get(place.envelope_bytes);
}

/// Behind the index of the one before it.
template <class Sink>
void put(Sink& sink, const Attempted& attempted, std::uint32_t next) {
  const auto& last = attempted.last;
  const bool here = last.text_bytes() > 0;
  const bool elsewhere = attempted.texts_bytes > 0;
  sink.put(std::uint64_t{static_cast<unsigned>(last.disposition)} << kDispositionShift |
           (here ? kTextsHere : 0) | (elsewhere ? kTextsElsewhere : 0));
  sink.put(last.recipient - next);
  sink.put(attempted.attempts);
  sink.put(last.reply.code);
  sink.put(last.reply.status.status_class);
  sink.put(last.reply.status.subject);
  sink.put(last.reply.status.detail);
  sink.put(static_cast<std::uint64_t>(last.attempted.microseconds));
  if (here) {
    sink.put(last.reply.text);
    sink.put(last.remote);
  }
  if (elsewhere) {
    sink.put(attempted.texts_at.slot);
    sink.put(attempted.texts_at.offset);
    sink.put(attempted.texts_bytes);
  }
}

void get(Reader& in, Attempted& attempted, std::uint32_t next) {
  auto& last = attempted.last;
  const auto flags = in.get();
  const auto disposition = flags >> kDispositionShift;
  last.disposition =
      static_cast<mail::Disposition>(std::min<std::uint64_t>(disposition, kEnumBound<mail::Disposition> - 1));
  last.recipient = next + static_cast<std::uint32_t>(in.get());
  in.get(attempted.attempts);
  in.get(last.reply.code);
  in.get(last.reply.status.status_class);
  in.get(last.reply.status.subject);
  in.get(last.reply.status.detail);
  in.get(last.attempted.microseconds);
  if ((flags & kTextsHere) != 0) {
    in.get(last.reply.text);
    in.get(last.remote);
  }
  if ((flags & kTextsElsewhere) != 0) {
    in.get(attempted.texts_at.slot);
    in.get(attempted.texts_at.offset);
    in.get(attempted.texts_bytes);
  }
}

template <class Sink>
void put(Sink& sink, const Message& message) {
  const auto& state = message.state;
  const bool own_envelope = message.envelope != message.data;
  sink.put((state.held ? kHeld : 0U) | (state.warned ? kWarned : 0U) | (own_envelope ? kOwnEnvelope : 0U) |
           (state.attempted().empty() ? 0U : kAttempted) | (message.state_slots.empty() ? 0U : kStateSlots));
  put(sink, message.data);
  if (own_envelope) put(sink, message.envelope);
  sink.put(state.recipients());
  if (!state.attempted().empty()) {
    sink.put(state.attempted().size());
    std::uint32_t next = 0;
    for (const auto& one : state.attempted()) {
      put(sink, one, next);
      next = one.last.recipient + 1;
    }
  }
  if (!message.state_slots.empty()) {
    sink.put(message.state_slots.size());
    for (const auto slot : message.state_slots) sink.put(slot);
  }
}

/// Nothing where that was never put.
std::optional<Message> get(Reader& in) {
  Message message;
  const auto flags = in.get();
  get(in, message.data);
  message.envelope = message.data;
  if ((flags & kOwnEnvelope) != 0) get(in, message.envelope);
  const auto recipients = static_cast<std::uint32_t>(in.get());
  std::vector<Attempted> attempted((flags & kAttempted) != 0 ? in.count() : 0);
  std::uint32_t next = 0;
  for (auto& one : attempted) {
    get(in, one, next);
    next = one.last.recipient + 1;
  }
  if ((flags & kStateSlots) != 0) message.state_slots.resize(in.count());
  for (auto& slot : message.state_slots) in.get(slot);
  if (in.ended()) return std::nullopt;
  auto state =
      MessageState::from(recipients, (flags & kHeld) != 0, (flags & kWarned) != 0, std::move(attempted));
  if (!state) return std::nullopt;
  message.state = std::move(*state);
  return message;
}

}  // namespace

PackedMessage::PackedMessage(const Message& message) {
  Counter counter;
  put(counter, message);
  bytes_ = std::make_unique_for_overwrite<char[]>(counter.size());
  Writer writer(bytes_.get());
  put(writer, message);
}

Message PackedMessage::unpack() const {
  Reader in(bytes_.get(), Reader::kNoBound);
  return *get(in);
}

std::string_view PackedMessage::bytes() const {
  Reader in(bytes_.get(), Reader::kNoBound);
  std::ignore = get(in);
  return {bytes_.get(), static_cast<std::size_t>(in.at() - bytes_.get())};
}

std::optional<Message> PackedMessage::parse(std::string_view bytes) {
  Reader in(bytes.data(), bytes.size());
  auto message = get(in);
  if (in.left() > 0) return std::nullopt;
  return message;
}

}  // namespace sternpost::spool

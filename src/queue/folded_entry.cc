#include "queue/folded_entry.h"

#include <algorithm>
#include <cstdint>

namespace sternpost::queue {
namespace {

// A folded entry: flags, base, [arrival], [tell_after], [owing], number of recipients, recipients. The base
// is the timer, or without one the arrival; other times are differences. A recipient is its tag and whatever
// is not as it was with the one before.

enum Flag : unsigned char {
  kHeld = 1,
  kWarned = 2,
  kLate = 4,
  kTelling = 8,
  kTimer = 16,
  kTellAfter = 32,
  kOwing = 64,
};

/// The two lowest bits are the state.
enum Tag : unsigned char {
  kStateMask = 3,
  kRouted = 4,
  kNextIndex = 8,
  kSameAttempts = 16,
  kSameSite = 32,
  kSameDue = 64,
};

constexpr State kFoldedStates[] = {State::waiting, State::parked, State::ready, State::unasked};

class Writer {
 public:
  void octet(unsigned value) { octets_.push_back(static_cast<char>(value)); }

  void number(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7U) octet(0x80U | (value & 0x7FU));
    octet(static_cast<unsigned>(value));
  }

  /// From `from` to `to`, which are near each other in either direction. Wraps, so that all values are good.
  void step(std::uint64_t from, std::uint64_t to) {
    const auto difference = static_cast<std::int64_t>(to - from);
    number((static_cast<std::uint64_t>(difference) << 1U) ^ static_cast<std::uint64_t>(difference >> 63));
  }

  void step(WallTime from, WallTime to) {
    step(static_cast<std::uint64_t>(from.microseconds), static_cast<std::uint64_t>(to.microseconds));
  }

  std::string take() { return std::move(octets_); }

 private:
  std::string octets_;
};

/// Reads what Writer wrote, which stands in our own memory: it needs no bounds.
class Reader {
 public:
  explicit Reader(const char* at) : at_(at) {}

  unsigned octet() { return static_cast<unsigned char>(*at_++); }

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const std::uint64_t part = octet();
      value |= (part & 0x7FU) << shift;
      if (part < 0x80) return value;
    }
  }

  std::uint64_t step(std::uint64_t from) {
    const auto written = number();
    return from + ((written >> 1U) ^ (0 - (written & 1U)));
  }

  WallTime step(WallTime from) {
    return {static_cast<std::int64_t>(step(static_cast<std::uint64_t>(from.microseconds)))};
  }

  std::uint32_t small() { return static_cast<std::uint32_t>(number()); }

 private:
  const char* at_;
};

unsigned flags_of(const Entry& entry) {
  unsigned flags = 0;
  if (entry.held) flags |= kHeld;
  if (entry.warned) flags |= kWarned;
  if (entry.late) flags |= kLate;
  if (entry.telling) flags |= kTelling;
  if (entry.timer) flags |= kTimer;
  if (entry.tell_after != WallTime{}) flags |= kTellAfter;
  if (!entry.owing.empty()) flags |= kOwing;
  return flags;
}

/// What the first recipient is compared with.
Recipient before_all(WallTime base) {
  Recipient none;
  none.index = UINT32_MAX;
  none.due = base;
  return none;
}

unsigned tag_of(const Recipient& recipient, const Recipient& before) {
  const auto* const state = std::ranges::find(kFoldedStates, recipient.state);
  auto tag = static_cast<unsigned>(state - std::begin(kFoldedStates));
  if (recipient.routed) tag |= kRouted;
  if (recipient.index == before.index + 1) tag |= kNextIndex;
  if (recipient.attempts == before.attempts) tag |= kSameAttempts;
  if (recipient.site == before.site) tag |= kSameSite;
  if (recipient.due == before.due) tag |= kSameDue;
  return tag;
}

void write_recipient(Writer& out, const Recipient& recipient, const Recipient& before) {
  const auto tag = tag_of(recipient, before);
  out.octet(tag);
  if ((tag & kNextIndex) == 0) out.number(recipient.index);
  if ((tag & kSameAttempts) == 0) out.number(recipient.attempts);
  if ((tag & kSameSite) == 0) out.number(recipient.site + 1);  // kNoSite is 0
  if ((tag & kSameDue) == 0) out.step(before.due, recipient.due);
}

Recipient read_recipient(Reader& in, const Recipient& before) {
  Recipient recipient = before;
  const auto tag = in.octet();
  recipient.state = kFoldedStates[tag & kStateMask];
  recipient.routed = (tag & kRouted) != 0;
  recipient.index = (tag & kNextIndex) != 0 ? before.index + 1 : in.small();
  if ((tag & kSameAttempts) == 0) recipient.attempts = in.small();
  if ((tag & kSameSite) == 0) recipient.site = in.small() - 1;
  if ((tag & kSameDue) == 0) recipient.due = in.step(before.due);
  return recipient;
}

void read_recipients(Reader& in, WallTime base, Entry& entry) {
  const auto count = in.small();
  entry.recipients.reserve(count);
  auto before = before_all(base);
  for (std::uint32_t i = 0; i < count; ++i) {
    before = entry.recipients.emplace_back(read_recipient(in, before));
    ++entry.in_state[static_cast<std::size_t>(before.state)];
  }
}

}  // namespace

std::string fold(const Entry& entry) {
  Writer out;
  out.octet(flags_of(entry));
  const auto base = entry.timer.value_or(entry.arrival);
  out.number(static_cast<std::uint64_t>(base.microseconds));
  if (entry.timer) out.step(base, entry.arrival);
  if (entry.tell_after != WallTime{}) out.step(base, entry.tell_after);
  if (!entry.owing.empty()) {
    out.number(entry.owing.size());
    std::uint64_t before = 0;
    for (const auto index : entry.owing) out.step(std::exchange(before, index), index);
  }
  out.number(entry.recipients.size());
  auto before = before_all(base);
  for (const auto& recipient : entry.recipients) {
    write_recipient(out, recipient, before);
    before = recipient;
  }
  return out.take();
}

FoldedEntry::FoldedEntry(const Entry& entry) {
  const auto octets = fold(entry);
  auto block = std::make_unique_for_overwrite<char[]>(octets.size());
  std::ranges::copy(octets, block.get());
  octets_ = std::move(block);
}

Entry FoldedEntry::unfold() const {
  Entry entry;
  unfold_to(entry);
  return entry;
}

void FoldedEntry::unfold_to(Entry& entry) const {
  auto recipients = std::move(entry.recipients);
  auto owing = std::move(entry.owing);
  entry = Entry{};
  recipients.clear();
  owing.clear();
  entry.recipients = std::move(recipients);
  entry.owing = std::move(owing);

  Reader in(octets_.get());
  const auto flags = in.octet();
  entry.held = (flags & kHeld) != 0;
  entry.warned = (flags & kWarned) != 0;
  entry.late = (flags & kLate) != 0;
  entry.telling = (flags & kTelling) != 0;
  const WallTime base{static_cast<std::int64_t>(in.number())};
  if ((flags & kTimer) != 0) entry.timer = base;
  entry.arrival = entry.timer ? in.step(base) : base;
  if ((flags & kTellAfter) != 0) entry.tell_after = in.step(base);
  if ((flags & kOwing) != 0) {
    std::uint64_t index = 0;
    for (auto left = in.number(); left > 0; --left) {
      index = in.step(index);
      entry.owing.push_back(static_cast<std::uint32_t>(index));
    }
  }
  read_recipients(in, base, entry);
  entry.counted = static_cast<std::uint32_t>(entry.recipients.size());
  entry.category = entry.sort_out();
}

std::optional<WallTime> FoldedEntry::timer() const {
  Reader in(octets_.get());
  if ((in.octet() & kTimer) == 0) return std::nullopt;
  return WallTime{static_cast<std::int64_t>(in.number())};
}

}  // namespace sternpost::queue

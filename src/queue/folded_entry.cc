#include "queue/folded_entry.h"

#include <algorithm>
#include <cstdint>

#include "base/packed.h"

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

void write_step(PackedWriter& out, WallTime from, WallTime to) {
  out.step(static_cast<std::uint64_t>(from.microseconds), static_cast<std::uint64_t>(to.microseconds));
}

WallTime read_step(PackedReader& in, WallTime from) {
  return {static_cast<std::int64_t>(in.step(static_cast<std::uint64_t>(from.microseconds)))};
}

std::uint32_t read_small(PackedReader& in) {
  return static_cast<std::uint32_t>(in.number());
}

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

void write_recipient(PackedWriter& out, const Recipient& recipient, const Recipient& before) {
  const auto tag = tag_of(recipient, before);
  out.octet(tag);
  if ((tag & kNextIndex) == 0) out.number(recipient.index);
  if ((tag & kSameAttempts) == 0) out.number(recipient.attempts);
  if ((tag & kSameSite) == 0) out.number(recipient.site + 1);  // kNoSite is 0
  if ((tag & kSameDue) == 0) write_step(out, before.due, recipient.due);
}

Recipient read_recipient(PackedReader& in, const Recipient& before) {
  Recipient recipient = before;
  const auto tag = in.octet();
  recipient.state = kFoldedStates[tag & kStateMask];
  recipient.routed = (tag & kRouted) != 0;
  recipient.index = (tag & kNextIndex) != 0 ? before.index + 1 : read_small(in);
  if ((tag & kSameAttempts) == 0) recipient.attempts = read_small(in);
  if ((tag & kSameSite) == 0) recipient.site = read_small(in) - 1;
  if ((tag & kSameDue) == 0) recipient.due = read_step(in, before.due);
  return recipient;
}

void read_recipients(PackedReader& in, WallTime base, Entry& entry) {
  const auto count = read_small(in);
  entry.recipients.reserve(count);
  auto before = before_all(base);
  for (std::uint32_t i = 0; i < count; ++i) {
    before = entry.recipients.emplace_back(read_recipient(in, before));
    ++entry.in_state[static_cast<std::size_t>(before.state)];
  }
}

PackedWriter write(const Entry& entry) {
  PackedWriter out;
  out.octet(flags_of(entry));
  const auto base = entry.timer.value_or(entry.arrival);
  out.number(static_cast<std::uint64_t>(base.microseconds));
  if (entry.timer) write_step(out, base, entry.arrival);
  if (entry.tell_after != WallTime{}) write_step(out, base, entry.tell_after);
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
  return out;
}

}  // namespace

std::string fold(const Entry& entry) {
  return write(entry).take();
}

FoldedEntry::FoldedEntry(const Entry& entry) : octets_(write(entry).block()) {}

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

  auto in = PackedReader::of_own(octets_.get());
  const auto flags = in.octet();
  entry.held = (flags & kHeld) != 0;
  entry.warned = (flags & kWarned) != 0;
  entry.late = (flags & kLate) != 0;
  entry.telling = (flags & kTelling) != 0;
  const WallTime base{static_cast<std::int64_t>(in.number())};
  if ((flags & kTimer) != 0) entry.timer = base;
  entry.arrival = entry.timer ? read_step(in, base) : base;
  if ((flags & kTellAfter) != 0) entry.tell_after = read_step(in, base);
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
  auto in = PackedReader::of_own(octets_.get());
  if ((in.octet() & kTimer) == 0) return std::nullopt;
  return WallTime{static_cast<std::int64_t>(in.number())};
}

}  // namespace sternpost::queue

#include "queue/folded_entry.h"

#include <gtest/gtest.h>

namespace sternpost::queue {
namespace {

constexpr WallTime kArrival{1'700'000'000'123'456};

void add(Entry& entry, const Recipient& recipient) {
  ++entry.in_state[static_cast<std::size_t>(recipient.state)];
  entry.recipients.push_back(recipient);
}

Recipient deferred(std::uint32_t index, WallTime due, SiteId site = 70'000) {
  Recipient recipient;
  recipient.index = index;
  recipient.attempts = 7;
  recipient.site = site;
  recipient.due = due;
  return recipient;
}

/// As the scheduler settles it.
void settle(Entry& entry) {
  entry.category = entry.sort_out();
  entry.counted = static_cast<std::uint32_t>(entry.recipients.size());
}

void expect_same(const Entry& entry, const Entry& other) {
  EXPECT_EQ(entry.arrival, other.arrival);
  EXPECT_EQ(entry.held, other.held);
  EXPECT_EQ(entry.recipients, other.recipients);
  EXPECT_EQ(entry.owing, other.owing);
  EXPECT_EQ(entry.warned, other.warned);
  EXPECT_EQ(entry.late, other.late);
  EXPECT_EQ(entry.telling, other.telling);
  EXPECT_EQ(entry.tell_after, other.tell_after);
  EXPECT_EQ(entry.in_state, other.in_state);
  EXPECT_EQ(entry.category, other.category);
  EXPECT_EQ(entry.counted, other.counted);
  EXPECT_EQ(entry.asked, other.asked);
  EXPECT_EQ(entry.timer, other.timer);
}

void expect_round_trip(Entry entry) {
  settle(entry);
  const FoldedEntry folded(entry);
  expect_same(folded.unfold(), entry);
  EXPECT_EQ(folded.timer(), entry.timer);
}

TEST(FoldedEntry, KeepsEachFieldForItself) {
  Entry plain;
  plain.arrival = kArrival;
  add(plain, deferred(0, kArrival + Seconds(300)));
  plain.timer = kArrival + Seconds(300);
  expect_round_trip(plain);

  for (bool Entry::* flag : {&Entry::held, &Entry::warned, &Entry::late, &Entry::telling}) {
    auto entry = plain;
    entry.*flag = true;
    expect_round_trip(entry);
  }
  auto entry = plain;
  entry.timer.reset();
  expect_round_trip(entry);
  entry = plain;
  entry.timer = kArrival - Seconds(5);
  expect_round_trip(entry);
  entry = plain;
  entry.tell_after = kArrival + Seconds(10);
  expect_round_trip(entry);
  entry = plain;
  entry.owing = {5, 3, 200'000, 4};
  expect_round_trip(entry);
}

TEST(FoldedEntry, KeepsEachRecipientAsItIs) {
  Entry entry;
  entry.arrival = kArrival;
  auto due = kArrival;
  for (const auto state : {State::waiting, State::parked, State::ready, State::unasked, State::waiting}) {
    auto recipient = deferred(static_cast<std::uint32_t>(entry.recipients.size()) * 3, due);
    recipient.state = state;
    recipient.routed = state == State::ready || state == State::parked;
    recipient.attempts = static_cast<std::uint32_t>(state);
    if (state == State::unasked) recipient.site = kNoSite;
    add(entry, recipient);
    due = due + Seconds(60);
  }
  add(entry, deferred(13, due));
  add(entry, deferred(14, due));
  expect_round_trip(entry);
}

TEST(FoldedEntry, KeepsTheLargestAndTheSmallestValues) {
  for (const WallTime time : {WallTime{INT64_MAX}, WallTime{INT64_MIN}, WallTime{0}, WallTime{-1}}) {
    for (const WallTime other : {WallTime{INT64_MAX}, WallTime{INT64_MIN}, WallTime{1}}) {
      Entry entry;
      entry.arrival = time;
      entry.timer = other;
      entry.tell_after = time;
      entry.owing = {UINT32_MAX, 0, UINT32_MAX};
      auto recipient = deferred(0, other, kNoSite - 1);
      recipient.attempts = UINT32_MAX;
      add(entry, recipient);
      add(entry, deferred(UINT32_MAX, time, 0));
      expect_round_trip(entry);
    }
  }
  Entry owing;
  owing.owing = {0};
  expect_round_trip(owing);
  expect_round_trip(Entry{});
}

TEST(FoldedEntry, ForgetsAddressesAndThatItWasFresh) {
  Entry entry;
  entry.fresh = true;
  entry.addresses.push_back({0, *mail::Mailbox::from_wire("ann@example.org")});
  add(entry, deferred(0, kArrival));
  const auto unfolded = FoldedEntry(entry).unfold();
  EXPECT_FALSE(unfolded.fresh);
  EXPECT_TRUE(unfolded.addresses.empty());
}

TEST(FoldedEntry, UnfoldsOverWhatWasThere) {
  Entry one;
  one.arrival = kArrival;
  add(one, deferred(3, kArrival));
  settle(one);
  Entry other;
  other.held = other.late = true;
  other.timer = kArrival;
  other.owing = {1, 2};
  add(other, deferred(0, kArrival));
  add(other, deferred(1, kArrival));
  FoldedEntry(one).unfold_to(other);
  expect_same(other, one);
}

/// What a million of them cost: the memory that the documentation promises rests on it.
TEST(FoldedEntry, IsSmall) {
  Entry entry;
  entry.arrival = kArrival;
  entry.timer = kArrival + Seconds(400'000);
  add(entry, deferred(0, *entry.timer));
  EXPECT_LE(fold(entry).size(), 24U) << "the least that is allocated has room for that";
  auto size = fold(entry).size();
  for (std::uint32_t i = 1; i < 1000; ++i) {
    // Each at another site, at another time, after others that are finished.
    add(entry, deferred(i * 7, kArrival + Seconds(i * 401 % 400'000), i * 65 % 1'000'000));
    const auto larger = fold(entry).size();
    EXPECT_LE(larger, size + 16);
    size = larger;
  }
  add(entry, deferred(6994, entry.recipients.back().due, entry.recipients.back().site));
  EXPECT_EQ(fold(entry).size(), size + 1) << "deferred together";
}

}  // namespace
}  // namespace sternpost::queue

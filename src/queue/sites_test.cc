#include "queue/sites.h"

#include <gtest/gtest.h>

#include "queue/concurrency.h"

namespace sternpost::queue {
namespace {

constexpr WallTime kNow{1'000'000'000};

TEST(ConcurrencyLimit, DoublesInARoundUntilTheFirstTroubleThenAddsOne) {
  ConcurrencyLimit limit(20, 1000);
  ASSERT_EQ(limit.value(), 20U);
  for (int i = 0; i < 20; ++i) limit.succeeded();
  EXPECT_EQ(limit.value(), 40U);
  limit.had_trouble(limit.round());
  EXPECT_EQ(limit.value(), 20U);
  for (int i = 0; i < 21; ++i) limit.succeeded();
  EXPECT_EQ(limit.value(), 21U);
}

TEST(ConcurrencyLimit, HalvesOnceForTheJobsOfOneRound) {
  ConcurrencyLimit limit(20, 16);
  const auto round = limit.round();
  limit.had_trouble(round);
  limit.had_trouble(round);
  limit.had_trouble(round);
  EXPECT_EQ(limit.value(), 8U);
  limit.had_trouble(limit.round());
  EXPECT_EQ(limit.value(), 4U);
}

TEST(ConcurrencyLimit, StaysBetweenOneAndTheCap) {
  ConcurrencyLimit limit(20, 3);
  for (int i = 0; i < 50; ++i) limit.succeeded();
  EXPECT_EQ(limit.value(), 3U);
  for (int i = 0; i < 50; ++i) limit.had_trouble(limit.round());
  EXPECT_EQ(limit.value(), 1U);
  limit.set_cap(0);
  EXPECT_EQ(limit.value(), 1U);
}

TEST(Sites, TurnsGoRoundAmongSitesAndAmongMessages) {
  Sites sites({10, 10});
  const auto a = sites.refer(Agent::virtual_mailbox, "a");
  const auto b = sites.refer(Agent::virtual_mailbox, "b");
  sites.add_ready(a, QueueId{1}, 0);
  sites.add_ready(a, QueueId{2}, 0);
  sites.add_ready(b, QueueId{3}, 0);
  std::vector<std::uint64_t> served;
  while (auto turn = sites.next_turn(kNow)) {
    served.push_back(turn->ready.id.value);
    sites.started(turn->site);
  }
  EXPECT_EQ(served, (std::vector<std::uint64_t>{1, 3, 2}));
}

TEST(Sites, NoTurnBeyondTheLimit) {
  Sites sites({2, 2});
  const auto a = sites.refer(Agent::virtual_mailbox, "a");
  for (std::uint64_t i = 1; i <= 5; ++i) sites.add_ready(a, QueueId{i}, 0);
  std::uint32_t round = 0;
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(sites.next_turn(kNow));
    round = sites.started(a);
  }
  EXPECT_FALSE(sites.next_turn(kNow));
  sites.ended(a, round, Sites::JobEnd::done, kNow);
  EXPECT_TRUE(sites.next_turn(kNow));
}

TEST(Sites, ABlockedSiteHasNoTurnUntilItsTimeAndWaitsLongerEachTime) {
  Sites sites({10, 10});
  const auto a = sites.refer(Agent::virtual_mailbox, "a");
  Microseconds expected = Sites::kFirstBlock;
  WallTime now = kNow;
  for (int i = 0; i < 10; ++i) {
    sites.add_ready(a, QueueId{1}, 0);
    ASSERT_TRUE(sites.next_turn(now));
    const auto round = sites.started(a);
    sites.ended(a, round, Sites::JobEnd::not_handed, now);
    sites.add_ready(a, QueueId{1}, 0);
    EXPECT_FALSE(sites.next_turn(now));
    EXPECT_EQ(sites.wake(), now + expected);
    EXPECT_FALSE(sites.next_turn(now + expected - Microseconds(1)));
    now = now + expected;
    EXPECT_TRUE(sites.next_turn(now));
    sites.skipped(a);
    expected = std::min(expected * 2, Sites::kLongestBlock);
  }
}

TEST(Sites, IdleSitesAreBoundedAndUsedOnesStay) {
  Sites sites({10, 10});
  const auto kept = sites.refer(Agent::virtual_mailbox, "kept");
  for (int i = 0; i < 5000; ++i) {
    sites.release(sites.refer(Agent::virtual_mailbox, "site" + std::to_string(i)));
  }
  EXPECT_LE(sites.size(), Sites::kMaxIdle + 1);
  EXPECT_EQ(sites.refer(Agent::virtual_mailbox, "kept"), kept);
}

}  // namespace
}  // namespace sternpost::queue

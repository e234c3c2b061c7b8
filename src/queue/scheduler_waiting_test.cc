// Messages that wait: what is done with them while they are folded, and how their addresses come back.
#include <algorithm>

#include "queue/scheduler_test_rig.h"

namespace sternpost::queue {
namespace {

using mail::Disposition;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class SchedulerWaitingTest : public SchedulerTest {
 protected:
  void SetUp() override {
    SchedulerTest::SetUp();
    slow_spool = true;
  }

  /// Message 1 with so many recipients, all of them deferred.
  void defer(std::uint32_t recipients = 1) {
    (void)give({message(1, recipients)});
    route(1, recipients);
    (void)take();
    for (std::uint32_t i = 0; i < recipients; ++i) record(1, i, Disposition::deferred, full());
    (void)take();
  }

  /// The same, and due again: spool is being asked for the addresses.
  void look_up(std::uint32_t recipients = 1) {
    defer(recipients);
    EXPECT_EQ(scheduler.flush(QueueId{1}, now), recipients);
    EXPECT_THAT(take().lookups, ElementsAre(QueueId{1}));
  }

  void answer(std::vector<std::uint32_t> indexes) {
    std::vector<AddressedRecipient> addresses;
    for (const auto index : indexes) addresses.push_back({index, address(index)});
    scheduler.addressed(QueueId{1}, std::move(addresses), now);
  }

  static mail::Reply full() { return {452, {4, 2, 2}, "full"}; }
};

TEST_F(SchedulerWaitingTest, RouterIsAskedWhenSpoolHasSaidTheAddresses) {
  look_up(2);
  EXPECT_EQ(scheduler.counts().routing, 1U);
  EXPECT_THAT(take().lookups, IsEmpty()) << "once";
  answer({1, 0});
  const auto asked = take();
  ASSERT_THAT(asked.questions, SizeIs(1));
  ASSERT_THAT(asked.questions[0].recipients, SizeIs(2));
  EXPECT_EQ(asked.questions[0].recipients[0].address, address(0));
  EXPECT_EQ(asked.questions[0].recipients[1].address, address(1));
  EXPECT_THAT(asked.lookups, IsEmpty());
  route(1, 2, "elsewhere");
  const auto ordered = take();
  EXPECT_THAT(ordered.orders, SizeIs(1));
  ASSERT_THAT(ordered.notices, SizeIs(2));
  EXPECT_EQ(std::get<RoutedNotice>(ordered.notices[1]).recipient, address(1));
}

TEST_F(SchedulerWaitingTest, AFreshMessageIsNotLookedUp) {
  const auto asked = give({message(1)});
  EXPECT_THAT(asked.lookups, IsEmpty());
  EXPECT_THAT(asked.questions, SizeIs(1));
  scheduler.router_lost();
  scheduler.router_connected();
  const auto again = take();
  EXPECT_THAT(again.lookups, IsEmpty());
  EXPECT_THAT(again.questions, SizeIs(1));
}

TEST_F(SchedulerWaitingTest, WhatTheAnswerLeavesOutIsLookedUpAgainLater) {
  look_up(2);
  answer({1});
  const auto asked = take();
  ASSERT_THAT(asked.questions, SizeIs(1));
  EXPECT_EQ(asked.questions[0].recipients.at(0).index, 1U);
  EXPECT_THAT(asked.lookups, IsEmpty());
  EXPECT_EQ(asked.wake, now + Scheduler::kLookAgain);
  now = *asked.wake;
  EXPECT_THAT(take().lookups, ElementsAre(QueueId{1}));
  answer({});
  now = now + Scheduler::kLookAgain;
  EXPECT_THAT(take().lookups, ElementsAre(QueueId{1})) << "and again";
}

TEST_F(SchedulerWaitingTest, AnswersOfABrokenSpoolChangeNothing) {
  look_up();
  scheduler.addressed(QueueId{9}, {{0, address(0)}}, now);
  std::vector<AddressedRecipient> addresses{
      {7, address(7)}, {0, address(0)}, {0, address(1)}, {UINT32_MAX, {}}};
  scheduler.addressed(QueueId{1}, std::move(addresses), now);
  const auto asked = take();
  ASSERT_THAT(asked.questions, SizeIs(1));
  ASSERT_THAT(asked.questions[0].recipients, SizeIs(1));
  EXPECT_EQ(asked.questions[0].recipients[0].address, address(0));
  answer({0});
  EXPECT_THAT(take().questions, IsEmpty()) << "router is asked already";
  route(1, 1);
  EXPECT_THAT(take().orders, SizeIs(1));
  answer({0});
  EXPECT_EQ(scheduler.counts().active, 1U);
}

TEST_F(SchedulerWaitingTest, WhatIsDeletedWhileItIsLookedUpIsForgotten) {
  look_up(2);
  record(1, 0, Disposition::deleted);
  record(1, 1, Disposition::deleted);
  EXPECT_EQ(scheduler.counts(), Counts{});
  answer({0, 1});
  EXPECT_THAT(take().questions, IsEmpty());
  EXPECT_EQ(scheduler.counts(), Counts{});
}

TEST_F(SchedulerWaitingTest, WhatIsHeldWhileItIsLookedUpWaitsForTheRelease) {
  look_up();
  scheduler.hold_changed(QueueId{1}, true, now);
  answer({0});
  EXPECT_THAT(take().questions, IsEmpty());
  EXPECT_EQ(scheduler.counts().held, 1U);
  scheduler.hold_changed(QueueId{1}, false, now);
  EXPECT_THAT(take().lookups, ElementsAre(QueueId{1}));
  answer({0});
  EXPECT_THAT(take().questions, SizeIs(1));
}

TEST_F(SchedulerWaitingTest, ALookUpIsDoneWhenThereIsARouterToAsk) {
  defer();
  scheduler.router_lost();
  EXPECT_EQ(scheduler.flush(QueueId{1}, now), 1U);
  EXPECT_THAT(take().lookups, IsEmpty());
  EXPECT_EQ(scheduler.counts().routing, 1U);
  scheduler.router_connected();
  EXPECT_THAT(take().lookups, ElementsAre(QueueId{1}));
  scheduler.router_lost();
  answer({0});
  EXPECT_THAT(take().questions, IsEmpty());
  scheduler.router_connected();
  EXPECT_THAT(take().questions, SizeIs(1)) << "without another look-up";
}

TEST_F(SchedulerWaitingTest, LookUpsAreBoundedAndAnsweredOnesGoFirst) {
  auto s = settings();
  s.max_active_messages = 20'000;
  scheduler.set(s);
  constexpr auto kMost = static_cast<std::uint64_t>(Scheduler::kMaxAsked);
  std::vector<Message> messages;
  for (std::uint64_t id = 1; id <= kMost + 5; ++id) {
    messages.push_back(message(id));
    messages.back().recipients[0].attempts = 1;
    messages.back().recipients[0].last_attempt = kStart;
  }
  EXPECT_THAT(give(std::move(messages)).questions, IsEmpty());
  EXPECT_EQ(scheduler.flush_all(now), kMost + 5);
  EXPECT_EQ(scheduler.counts().routing, kMost + 5);
  const auto first = take();
  ASSERT_THAT(first.lookups, SizeIs(kMost));
  EXPECT_EQ(first.lookups[0], QueueId{1}) << "the oldest first";
  EXPECT_THAT(take().lookups, IsEmpty());
  answer({0});
  const auto next = take();
  ASSERT_THAT(next.questions, SizeIs(1)) << "not behind those whose addresses are not here";
  EXPECT_EQ(next.questions[0].id, QueueId{1});
  EXPECT_THAT(next.lookups, IsEmpty()) << "router owes an answer now";
  route(1, 1);
  EXPECT_THAT(take().lookups, SizeIs(1));
}

TEST_F(SchedulerWaitingTest, TheNextAttemptIsToldAgainAndAgain) {
  defer();
  const auto next = scheduler.next_attempt(QueueId{1});
  ASSERT_TRUE(next);
  EXPECT_GE(*next, now + Seconds(60));
  EXPECT_EQ(scheduler.next_attempt(QueueId{1}), next);
  EXPECT_EQ(take().wake, next);
}

TEST_F(SchedulerWaitingTest, AMessageThatWaitsIsNotPulledASecondTime) {
  defer();
  const auto next = scheduler.next_attempt(QueueId{1});
  (void)give({message(1)});
  EXPECT_EQ(scheduler.next_attempt(QueueId{1}), next);
  EXPECT_EQ(scheduler.counts().deferred, 1U);
  EXPECT_EQ(scheduler.counts().routing, 0U);
}

TEST_F(SchedulerWaitingTest, WhatWaitsKeepsItsSiteKnown) {
  defer();
  // More sites than are remembered without a recipient.
  for (std::uint64_t id = 2; id <= Sites::kMaxIdle + 3; ++id) {
    (void)give({message(id)});
    route(id, 1, "site" + std::to_string(id));
    (void)take();
    record(id, 0, Disposition::delivered);
  }
  EXPECT_EQ(scheduler.flush_site("virtual", now), 1U);
  EXPECT_EQ(scheduler.flush_site("site2", now), std::nullopt);
}

TEST_F(SchedulerWaitingTest, ASiteIsForgottenAfterTheLastOfWhatWaitedForIt) {
  defer();
  record(1, 0, Disposition::deleted);
  for (std::uint64_t id = 2; id <= Sites::kMaxIdle + 3; ++id) {
    (void)give({message(id)});
    route(id, 1, "site" + std::to_string(id));
    (void)take();
    record(id, 0, Disposition::delivered);
  }
  EXPECT_EQ(scheduler.flush_site("virtual", now), std::nullopt);
}

TEST_F(SchedulerWaitingTest, AFlushOfASiteTakesTheRecipientsThere) {
  (void)give({message(1, 2), message(2)});
  std::vector<RouteAnswer> answers;
  answers.push_back({0, {250, {2, 1, 5}, "ok"}, Agent::smtp, "smtp mx 10 a.example:25", {}});
  answers.push_back({1, {250, {2, 1, 5}, "ok"}, Agent::smtp, "smtp mx 10 b.example:25", {}});
  scheduler.routed(QueueId{1}, generation, std::move(answers), now);
  route(2, 1, "smtp mx 10 b.example:25");
  (void)take();
  for (const std::uint32_t index : {0U, 1U}) record(1, index, Disposition::deferred, full());
  record(2, 0, Disposition::deferred, full());
  EXPECT_EQ(scheduler.counts().deferred, 2U);
  EXPECT_EQ(scheduler.flush_site("b.example", now), 2U);
  EXPECT_EQ(scheduler.flush_site("b.example", now), 0U) << "they are due already";
  auto lookups = take().lookups;
  std::ranges::sort(lookups);
  EXPECT_THAT(lookups, ElementsAre(QueueId{1}, QueueId{2}));
  answer({0, 1});
  const auto asked = take();
  ASSERT_THAT(asked.questions, SizeIs(1));
  ASSERT_THAT(asked.questions[0].recipients, SizeIs(1));
  EXPECT_EQ(asked.questions[0].recipients[0].index, 1U);
}

TEST_F(SchedulerWaitingTest, TimersThatChangeOftenAreNotForgotten) {
  std::vector<Message> messages;
  constexpr std::uint64_t kMany = 2000;
  for (std::uint64_t id = 1; id <= kMany; ++id) {
    messages.push_back(message(id));
    messages.back().recipients[0].attempts = 1;
    messages.back().recipients[0].last_attempt = kStart;
  }
  (void)give(std::move(messages));
  for (int times = 0; times < 5; ++times) {
    for (std::uint64_t id = 1; id <= kMany; ++id) scheduler.hold_changed(QueueId{id}, true, now);
    EXPECT_FALSE(take().wake) << "what is held has no time";
    for (std::uint64_t id = 1; id <= kMany; ++id) scheduler.hold_changed(QueueId{id}, false, now);
  }
  auto first = scheduler.next_attempt(QueueId{1});
  for (std::uint64_t id = 2; id <= kMany; ++id) first = std::min(first, scheduler.next_attempt(QueueId{id}));
  EXPECT_EQ(take().wake, first);
  now = now + Seconds(600);
  EXPECT_THAT(take().lookups, SizeIs(kMany));
}

}  // namespace
}  // namespace sternpost::queue

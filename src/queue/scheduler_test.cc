#include "queue/scheduler_test_rig.h"

namespace sternpost::queue {
namespace {

using mail::Disposition;
using testing::ElementsAre;
using testing::SizeIs;

TEST_F(SchedulerTest, AsksOrdersAndForgetsADeliveredMessage) {
  const auto asked = give({message(1)});
  ASSERT_THAT(asked.questions, SizeIs(1));
  EXPECT_EQ(asked.questions[0].recipients[0].address, address(0));
  EXPECT_THAT(asked.orders, SizeIs(0));
  route(1, 1);
  const auto ordered = take();
  ASSERT_THAT(ordered.orders, SizeIs(1));
  EXPECT_THAT(ordered.orders[0].recipients, ElementsAre(0));
  EXPECT_EQ(scheduler.counts().active, 1U);
  ASSERT_THAT(ordered.notices, SizeIs(1));
  EXPECT_EQ(std::get<RoutedNotice>(ordered.notices[0]).recipient, address(0));
  record(1, 0, Disposition::delivered);
  EXPECT_EQ(scheduler.counts(), Counts{});
}

TEST_F(SchedulerTest, RecipientsOfOneMessageAtOneSiteShareAJobUpToTheLimit) {
  (void)give({message(1, Scheduler::kMaxJobRecipients + 5)});
  route(1, Scheduler::kMaxJobRecipients + 5);
  const auto actions = take();
  ASSERT_THAT(actions.orders, SizeIs(2));
  EXPECT_THAT(actions.orders[0].recipients, SizeIs(Scheduler::kMaxJobRecipients));
  EXPECT_THAT(actions.orders[1].recipients, SizeIs(5));
}

TEST_F(SchedulerTest, AMessageWithManyRecipientsDoesNotDelayOneWithOne) {
  (void)give({message(1, 1000), message(2)});
  route(1, 1000);
  route(2, 1);
  const auto actions = take();
  ASSERT_THAT(actions.orders, SizeIs(4));
  EXPECT_EQ(actions.orders[1].id, QueueId{2});
}

TEST_F(SchedulerTest, ASiteHasNoMoreJobsThanItsLimit) {
  std::vector<Message> messages;
  for (std::uint64_t i = 1; i <= 10; ++i) messages.push_back(message(i));
  (void)give(std::move(messages));
  for (std::uint64_t i = 1; i <= 10; ++i) route(i, 1);
  EXPECT_THAT(take().orders, SizeIs(4));
  EXPECT_THAT(take().orders, SizeIs(0));
  record(1, 0, Disposition::delivered);
  EXPECT_THAT(take().orders, SizeIs(1));
}

TEST_F(SchedulerTest, ADeferredRecipientIsTriedAgainAtItsTimeWhereverItGoesThen) {
  (void)give({message(1)});
  route(1, 1);
  (void)take();
  record(1, 0, Disposition::deferred, {452, {4, 2, 2}, "full"});
  const auto waiting = take();
  EXPECT_THAT(waiting.orders, SizeIs(0));
  ASSERT_TRUE(waiting.wake);
  ASSERT_THAT(waiting.notices, SizeIs(1));
  EXPECT_EQ(std::get<DeferredNotice>(waiting.notices[0]).next, *waiting.wake);
  EXPECT_EQ(scheduler.counts().deferred, 1U);
  now = *waiting.wake - Microseconds(1);
  EXPECT_THAT(take().orders, SizeIs(0));
  now = *waiting.wake;
  const auto again = take();
  EXPECT_THAT(again.orders, SizeIs(0));
  ASSERT_THAT(again.questions, SizeIs(1)) << "where it goes may have changed";
  EXPECT_EQ(again.questions[0].recipients.at(0).address, address(0));
  route(1, 1, "elsewhere");
  const auto ordered = take();
  ASSERT_THAT(ordered.orders, SizeIs(1));
  EXPECT_EQ(ordered.orders[0].site, "elsewhere");
  EXPECT_THAT(ordered.notices, SizeIs(1)) << "that is to be seen";
}

TEST_F(SchedulerTest, TheSameRouteIsNotRecordedTwice) {
  (void)give({message(1)});
  route(1, 1);
  (void)take();
  record(1, 0, Disposition::deferred, {452, {4, 2, 2}, "full"});
  now = *take().wake;
  (void)take();
  route(1, 1);
  const auto again = take();
  EXPECT_THAT(again.orders, SizeIs(1));
  EXPECT_THAT(again.notices, SizeIs(0));
}

TEST_F(SchedulerTest, AnAttemptIsPlannedFromItsEndWhateverTheClockOfTheAgentSays) {
  for (const auto attempted : {kStart - Seconds(7200), kStart + Seconds(7200)}) {
    const auto id = static_cast<std::uint64_t>(attempted.microseconds);
    (void)give({message(id)});
    route(id, 1);
    (void)take();
    const mail::RecipientOutcome outcome{0, Disposition::deferred, {452, {4, 2, 2}, "full"}, attempted};
    scheduler.recorded(QueueId{id}, std::span(&outcome, 1), now);
    const auto next = scheduler.next_attempt(QueueId{id});
    ASSERT_TRUE(next);
    EXPECT_GE(*next, now + Seconds(60));
    EXPECT_LT(*next, now + Seconds(70));
  }
}

TEST_F(SchedulerTest, AnAnswerToAQuestionOfBeforeASpoolWasLostIsNotTakenForTheNewOne) {
  (void)give({message(1)});
  const auto before = generation;
  scheduler.spool_lost();
  scheduler.spool_connected();
  pull_seen = false;
  ASSERT_THAT(give({message(1)}).questions, SizeIs(1));
  scheduler.routed(QueueId{1}, before, {{0, {250, {2, 1, 5}, "ok"}, Agent::virtual_mailbox, "old", {}}}, now);
  EXPECT_THAT(take().orders, SizeIs(0));
  route(1, 1, "new");
  const auto ordered = take();
  ASSERT_THAT(ordered.orders, SizeIs(1));
  EXPECT_EQ(ordered.orders[0].site, "new");
}

TEST_F(SchedulerTest, AClockThatIsSetMovesNoAttemptHoweverFar) {
  for (const auto step : {Seconds(-365LL * 86400), Seconds(-30), Seconds(30), Seconds(3600)}) {
    const auto id = static_cast<std::uint64_t>(1'000'000'000 + step.count());
    (void)give({message(id)});
    route(id, 1);
    (void)take();
    record(id, 0, Disposition::deferred, {452, {4, 2, 2}, "full"});
    const auto wait = *take().wake - now;
    now = now + step;
    scheduler.clock_stepped(step, now);
    const auto actions = take();
    EXPECT_EQ(*actions.wake - now, wait) << step.count();
    EXPECT_THAT(actions.questions, SizeIs(0)) << "tried too early after a step of " << step.count() << " s";
    now = *actions.wake;
    EXPECT_THAT(take().questions, SizeIs(1)) << step.count();
    route(id, 1);
    (void)take();
    record(id, 0, Disposition::delivered);
  }
}

TEST_F(SchedulerTest, ASiteThatIsDownIsTriedAfterTheSameTimeWhenTheClockIsSetBack) {
  far_goes_down();
  (void)give({message(2)});
  route(2, 1, "far");
  const auto wait = *take().wake - now;
  const auto step = Seconds(-365LL * 86400);
  now = now + step;
  scheduler.clock_stepped(step, now);
  EXPECT_EQ(*take().wake - now, wait);
  now = now + wait;
  EXPECT_THAT(take().orders, SizeIs(1));
}

TEST_F(SchedulerTest, AMessageFromTheFutureExpiresAsOneThatCameNow) {
  auto future = message(1);
  future.arrival = now + Seconds(365LL * 86400);
  (void)give({future});
  route(1, 1);
  (void)take();
  now = kStart + Seconds(7200);
  record(1, 0, Disposition::deferred, {452, {4, 2, 2}, "full"});
  ASSERT_THAT(take().decisions, SizeIs(1));
}

TEST_F(SchedulerTest, ADeferralOfAnOldMessageFailsItOnceAndSaysSoWhenDurable) {
  (void)give({message(1)});
  route(1, 1);
  (void)take();
  now = kStart + Seconds(7200);
  record(1, 0, Disposition::deferred, {452, {4, 2, 2}, "full"});
  const auto actions = take();
  ASSERT_THAT(actions.decisions, SizeIs(1));
  const auto& outcome = actions.decisions[0].recipients.at(0);
  EXPECT_EQ(outcome.disposition, Disposition::failed);
  EXPECT_EQ(outcome.reply.status, (mail::EnhancedStatus{5, 4, 7}));
  EXPECT_THAT(outcome.reply.text, testing::HasSubstr("452 4.2.2 full"));
  EXPECT_THAT(actions.notices, SizeIs(0)) << "not durable yet";
  EXPECT_THAT(take().decisions, SizeIs(0));
  record(1, 0, Disposition::failed, outcome.reply);
  const auto done = take();
  ASSERT_THAT(done.notices, SizeIs(1));
  EXPECT_TRUE(std::holds_alternative<FailedNotice>(done.notices[0]));
  ASSERT_THAT(done.tells, SizeIs(1));
  EXPECT_FALSE(done.tells[0].delayed);
  EXPECT_THAT(done.tells[0].recipients, ElementsAre(0));
  EXPECT_EQ(scheduler.counts().owing, 1U);
  scheduler.told(QueueId{1}, done.tells[0].recipients, false);
  EXPECT_EQ(scheduler.counts(), Counts{});
}

TEST_F(SchedulerTest, TheSenderIsToldOfAllThatFailedWhenNobodyIsTriedAnyMore) {
  (void)give({message(1, 3)});
  route(1, 3);
  (void)take();
  record(1, 0, Disposition::failed, {550, {5, 1, 1}, "no"});
  record(1, 2, Disposition::failed, {550, {5, 1, 1}, "no"});
  EXPECT_THAT(take().tells, SizeIs(0)) << "one is in hand";
  record(1, 1, Disposition::deferred, {452, {4, 2, 2}, "full"});
  const auto actions = take();
  ASSERT_THAT(actions.tells, SizeIs(1));
  EXPECT_THAT(actions.tells[0].recipients, ElementsAre(0, 2));
  EXPECT_THAT(take().tells, SizeIs(0)) << "once";
  scheduler.not_told(QueueId{1}, now);
  EXPECT_THAT(take().tells, SizeIs(0));
  now = now + Scheduler::kTellAgain;
  EXPECT_THAT(take().tells, SizeIs(1));
  scheduler.told(QueueId{1}, std::vector<std::uint32_t>{0}, false);
  const auto rest = take();
  ASSERT_THAT(rest.tells, SizeIs(1)) << "of the first part only";
  EXPECT_THAT(rest.tells[0].recipients, ElementsAre(2));
  scheduler.told(QueueId{1}, rest.tells[0].recipients, false);
  EXPECT_EQ(scheduler.counts().deferred, 1U);
}

TEST_F(SchedulerTest, WhatIsOwedIsPulledAgainAfterACrash) {
  auto m = message(1, 0);
  m.owing = {4, 5};
  const auto actions = give({m});
  ASSERT_THAT(actions.tells, SizeIs(1));
  EXPECT_THAT(actions.tells[0].recipients, ElementsAre(4, 5));
  const mail::RecipientOutcome deleted{4, Disposition::deleted, {}, now};
  scheduler.recorded(QueueId{1}, std::span(&deleted, 1), now);
  EXPECT_EQ(scheduler.counts().owing, 1U);
  scheduler.told(QueueId{1}, std::vector<std::uint32_t>{5}, false);
  EXPECT_EQ(scheduler.counts(), Counts{});
}

TEST_F(SchedulerTest, TheSenderOfALateMessageIsWarnedOnce) {
  auto s = settings();
  s.warn = Seconds(1000);
  scheduler.set(s);
  (void)give({message(1)});
  route(1, 1);
  (void)take();
  record(1, 0, Disposition::deferred, {452, {4, 2, 2}, "full"});
  EXPECT_THAT(take().tells, SizeIs(0));
  now = kStart + Seconds(1000);
  const auto warned = take();
  ASSERT_THAT(warned.tells, SizeIs(1));
  EXPECT_TRUE(warned.tells[0].delayed);
  EXPECT_EQ(warned.tells[0].until, kStart + Seconds(7200));
  scheduler.told(QueueId{1}, {}, true);
  route(1, 1);
  EXPECT_THAT(take().orders, SizeIs(1));
  record(1, 0, Disposition::deferred, {452, {4, 2, 2}, "full"});
  now = now + Seconds(100);
  EXPECT_THAT(take().tells, SizeIs(0));
}

TEST_F(SchedulerTest, ADeferralThatWasTheLastOneBeforeACrashFailsAtThePull) {
  auto m = message(1);
  m.recipients[0].attempts = 9;
  m.recipients[0].last_attempt = kStart + Seconds(7200);
  now = kStart + Seconds(7300);
  const auto actions = give({m});
  EXPECT_THAT(actions.decisions, SizeIs(1));
  EXPECT_THAT(actions.questions, SizeIs(0));
}

TEST_F(SchedulerTest, AHeldMessageDoesNotExpire) {
  auto m = message(1);
  m.held = true;
  m.recipients[0].attempts = 9;
  m.recipients[0].last_attempt = kStart + Seconds(7200);
  now = kStart + Seconds(7300);
  EXPECT_THAT(give({m}).decisions, SizeIs(0)) << "at the pull";
  scheduler.hold_changed(QueueId{1}, false, now);
  now = now + Seconds(86'400);
  ASSERT_THAT(take().questions, SizeIs(1));
  route(1, 1);
  EXPECT_THAT(take().orders, SizeIs(1)) << "it has one more attempt";
  scheduler.hold_changed(QueueId{1}, true, now);
  record(1, 0, Disposition::deferred);
  EXPECT_THAT(take().decisions, SizeIs(0)) << "held during the attempt";
  EXPECT_EQ(scheduler.counts().held, 1U);
}

TEST_F(SchedulerTest, AHeldMessageIsNotTriedUntilReleased) {
  auto m = message(1);
  m.held = true;
  const auto actions = give({m});
  EXPECT_THAT(actions.questions, SizeIs(0));
  EXPECT_FALSE(actions.wake);
  EXPECT_EQ(scheduler.counts().held, 1U);
  scheduler.hold_changed(QueueId{1}, false, now);
  EXPECT_THAT(take().questions, SizeIs(1));
}

TEST_F(SchedulerTest, AMessageHeldWhileItWaitsForItsTurnLosesIt) {
  std::vector<Message> messages;
  for (std::uint64_t i = 1; i <= 5; ++i) messages.push_back(message(i));
  (void)give(std::move(messages));
  for (std::uint64_t i = 1; i <= 5; ++i) route(i, 1);
  EXPECT_THAT(take().orders, SizeIs(4));
  scheduler.hold_changed(QueueId{5}, true, now);
  record(1, 0, Disposition::delivered);
  EXPECT_THAT(take().orders, SizeIs(0));
  scheduler.hold_changed(QueueId{5}, false, now);
  const auto actions = take();
  ASSERT_THAT(actions.orders, SizeIs(1));
  EXPECT_EQ(actions.orders[0].id, QueueId{5});
  record(5, 0, Disposition::delivered);
  EXPECT_THAT(take().orders, SizeIs(0));
}

TEST_F(SchedulerTest, ARouteAnsweredWhileHeldIsKeptForTheRelease) {
  (void)give({message(1)});
  scheduler.hold_changed(QueueId{1}, true, now);
  route(1, 1);
  EXPECT_THAT(take().orders, SizeIs(0));
  scheduler.hold_changed(QueueId{1}, false, now);
  const auto actions = take();
  EXPECT_THAT(actions.questions, SizeIs(0));
  EXPECT_THAT(actions.orders, SizeIs(1));
}

TEST_F(SchedulerTest, UnansweredQuestionsAreAskedAgainOnANewRouter) {
  EXPECT_THAT(give({message(1), message(2)}).questions, SizeIs(2));
  route(1, 1);
  scheduler.router_lost();
  EXPECT_THAT(take().questions, SizeIs(0));
  scheduler.router_connected();
  const auto actions = take();
  ASSERT_THAT(actions.questions, SizeIs(1));
  EXPECT_EQ(actions.questions[0].id, QueueId{2});
}

TEST_F(SchedulerTest, ARouteThatFailsIsDecidedAndItsOutcomeAwaited) {
  (void)give({message(1, 2)});
  std::vector<RouteAnswer> answers;
  answers.push_back({0, {550, {5, 1, 1}, "no such user"}, Agent::virtual_mailbox, "", {}});
  answers.push_back({1, {451, {4, 3, 0}, "users are away"}, Agent::virtual_mailbox, "", {}});
  scheduler.routed(QueueId{1}, generation, std::move(answers), now);
  const auto actions = take();
  ASSERT_THAT(actions.decisions, SizeIs(1));
  ASSERT_THAT(actions.decisions[0].recipients, SizeIs(2));
  EXPECT_EQ(actions.decisions[0].recipients[0].disposition, Disposition::failed);
  EXPECT_EQ(actions.decisions[0].recipients[1].disposition, Disposition::deferred);
  EXPECT_EQ(scheduler.counts().active, 1U);
  record(1, 0, Disposition::failed);
  record(1, 1, Disposition::deferred, {451, {4, 3, 0}, "users are away"});
  const auto waiting = take();
  ASSERT_TRUE(waiting.wake);
  now = *waiting.wake;
  const auto again = take();
  ASSERT_THAT(again.questions, SizeIs(1)) << "it has no route yet, so it is asked again";
  EXPECT_EQ(again.questions[0].recipients.at(0).address, address(1));
}

TEST_F(SchedulerTest, AnOrderThatNobodyTookIsRepeatedAfterAMoment) {
  (void)give({message(1)});
  route(1, 1);
  (void)take();
  const std::uint32_t index = 0;
  scheduler.not_handed(QueueId{1}, std::span(&index, 1), now);
  const auto blocked = take();
  EXPECT_THAT(blocked.orders, SizeIs(0));
  ASSERT_TRUE(blocked.wake);
  now = *blocked.wake;
  EXPECT_THAT(take().orders, SizeIs(1));
}

TEST_F(SchedulerTest, ARecipientInHandAtThePullWaitsForItsOutcome) {
  auto m = message(1, 2);
  m.recipients[0].in_hand = true;
  const auto actions = give({m});
  ASSERT_THAT(actions.questions, SizeIs(1));
  ASSERT_THAT(actions.questions[0].recipients, SizeIs(1));
  EXPECT_EQ(actions.questions[0].recipients[0].index, 1U);
  record(1, 0, Disposition::deferred, {452, {4, 2, 2}, "full"});
  now = *take().wake;
  const auto again = take();
  ASSERT_THAT(again.questions, SizeIs(1));
  EXPECT_EQ(again.questions[0].recipients.at(0).index, 0U);
}

TEST_F(SchedulerTest, ADeletedRecipientIsForgottenWhereverItWaits) {
  (void)give({message(1), message(2), message(3)});
  route(2, 1);
  route(3, 1);
  record(1, 0, Disposition::deleted);
  record(2, 0, Disposition::deleted);
  EXPECT_THAT(take().orders, SizeIs(1));
  record(3, 0, Disposition::deleted);
  EXPECT_EQ(scheduler.counts(), Counts{});
  EXPECT_THAT(take().orders, SizeIs(0));
}

TEST_F(SchedulerTest, ANewSpoolMeansThatAllIsPulledAgainFromTheStart) {
  (void)give({message(1)});
  scheduler.spool_lost();
  EXPECT_FALSE(take().pull);
  EXPECT_EQ(scheduler.counts(), Counts{});
  scheduler.spool_connected();
  const auto actions = take();
  ASSERT_TRUE(actions.pull);
  EXPECT_EQ(actions.pull->after, 0U);
}

TEST_F(SchedulerTest, MessagesThatWereNotPulledAreABreach) {
  (void)give({});
  scheduler.spool_connected();
  EXPECT_FALSE(scheduler.pulled({}, 5, now));
}

TEST_F(SchedulerTest, PullsNoMoreThanItHasRoomForAndNewMailPassesDeferredMail) {
  std::vector<Message> messages;
  for (std::uint64_t i = 1; i <= 100; ++i) messages.push_back(message(i));
  EXPECT_FALSE(give(std::move(messages)).pull) << "full";
  for (std::uint64_t i = 1; i <= 100; ++i) {
    std::vector<RouteAnswer> away;
    away.push_back({0, {451, {4, 3, 0}, "away"}, Agent::virtual_mailbox, "", {}});
    scheduler.routed(QueueId{i}, generation, std::move(away), now);
    record(i, 0, Disposition::deferred, {451, {4, 3, 0}, "away"});
  }
  const auto actions = take();
  ASSERT_TRUE(actions.pull) << "deferred mail does not stop new mail";
  EXPECT_EQ(actions.pull->max, 100U);
}

TEST_F(SchedulerTest, NewMailPassesHeldMailHoweverMuchThereIs) {
  std::uint64_t id = 0;
  for (int pulls = 0; pulls < 100; ++pulls) {
    ASSERT_TRUE(pull_seen || take().pull) << pulls;
    std::vector<Message> messages;
    for (int i = 0; i < 100; ++i) {
      auto m = message(++id);
      m.held = true;
      messages.push_back(std::move(m));
    }
    (void)give(std::move(messages));
  }
}

TEST_F(SchedulerTest, AMessageThatWaitsForItsFirstTurnIsLateToo) {
  auto s = settings();
  s.warn = Seconds(1000);
  scheduler.set(s);
  std::vector<Message> messages;
  for (std::uint64_t id = 1; id <= 5; ++id) messages.push_back(message(id));
  (void)give(std::move(messages));
  for (std::uint64_t id = 1; id <= 5; ++id) route(id, 1);
  ASSERT_THAT(take().orders, SizeIs(4)) << "the site has no room for the fifth";
  now = kStart + Seconds(1000);
  const auto late = take();
  ASSERT_THAT(late.tells, SizeIs(1));
  EXPECT_EQ(late.tells[0].id, QueueId{5});
  EXPECT_TRUE(late.tells[0].delayed);
}

TEST_F(SchedulerTest, RouterIsNotAskedForMoreThanItsShareAtOnce) {
  auto s = settings();
  s.max_active_messages = 20'000;
  scheduler.set(s);
  constexpr auto kMost = static_cast<std::uint64_t>(Scheduler::kMaxAsked);
  std::vector<Message> messages;
  for (std::uint64_t id = 1; id <= kMost + 2; ++id) messages.push_back(message(id));
  EXPECT_THAT(give(std::move(messages)).questions, SizeIs(kMost));
  EXPECT_THAT(take().questions, SizeIs(0));
  route(1, 1);
  const auto next = take();
  ASSERT_THAT(next.questions, SizeIs(1));
  EXPECT_EQ(next.questions[0].id, QueueId{kMost + 1});
}

}  // namespace
}  // namespace sternpost::queue

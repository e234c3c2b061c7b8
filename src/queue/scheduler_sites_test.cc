// Sites: how much they may have in hand, and what waits where nobody is reached.
#include "queue/scheduler_test_rig.h"

namespace sternpost::queue {
namespace {

using mail::Disposition;
using testing::SizeIs;

TEST_F(SchedulerTest, ASiteThatIsDownIsTriedByOneJobAtATimeAndOpensForAll) {
  (void)give({message(1), message(2), message(3)});
  for (const std::uint64_t id : {1U, 2U, 3U}) route(id, 1, "far");
  EXPECT_THAT(take().orders, SizeIs(3));
  record(1, 0, Disposition::deferred, no_connection());
  const auto down = take();
  ASSERT_THAT(down.notices, testing::Not(testing::IsEmpty()));
  record(2, 0, Disposition::deferred, no_connection());
  record(3, 0, Disposition::deferred, no_connection());
  const auto parked = take();
  EXPECT_EQ(scheduler.counts().deferred, 3U);
  EXPECT_EQ(scheduler.counts().ready, 0U) << "it takes nobody's place";
  ASSERT_TRUE(parked.wake);
  EXPECT_GE(*parked.wake, now + Seconds(60));
  EXPECT_EQ(scheduler.next_attempt(QueueId{3}), parked.wake);

  now = *parked.wake;
  EXPECT_THAT(take().questions, SizeIs(3)) << "where mail goes may have changed";
  for (const std::uint64_t id : {1U, 2U, 3U}) route(id, 1, "far");
  const auto probe = take();
  ASSERT_THAT(probe.orders, SizeIs(1)) << "one finds out";
  EXPECT_EQ(scheduler.counts().ready, 0U);
  record(probe.orders[0].id.value, 0, Disposition::deferred, no_connection());
  const auto again = take();
  EXPECT_THAT(again.orders, SizeIs(0));
  ASSERT_TRUE(again.wake);
  EXPECT_GT(*again.wake, now + Seconds(60)) << "and longer";

  now = *again.wake;
  const auto found = take();
  ASSERT_THAT(found.orders, SizeIs(1));
  EXPECT_THAT(found.questions, SizeIs(1)) << "for the one that was tried";
  record(found.orders[0].id.value, 0, Disposition::delivered);
  EXPECT_THAT(take().orders, SizeIs(1)) << "open for all that waited";
  route(probe.orders[0].id.value, 1, "far");
  EXPECT_THAT(take().orders, SizeIs(1));
}

TEST_F(SchedulerTest, NewMailForASiteThatIsDownWaitsAndExpiresThere) {
  far_goes_down();
  (void)give({message(2)});
  route(2, 1, "far");
  EXPECT_THAT(take().orders, SizeIs(0));
  EXPECT_EQ(scheduler.counts().deferred, 2U);
  EXPECT_EQ(scheduler.waits_because(QueueId{2}), "far is down: 451 4.4.1 no connection");
  EXPECT_EQ(scheduler.waits_because(QueueId{1}), "") << "its own last reply says it";
  now = kStart + Seconds(7200);
  const auto expired = take();
  ASSERT_THAT(expired.decisions, SizeIs(1));
  EXPECT_EQ(expired.decisions[0].id, QueueId{2});
  EXPECT_THAT(expired.decisions[0].recipients.at(0).reply.text, testing::HasSubstr("no connection"));
  route(1, 1, "far");
  EXPECT_THAT(take().decisions, SizeIs(1));
}

TEST_F(SchedulerTest, MailThatFoundTheSiteDownExpiresBeforeItIsTriedThereAgain) {
  auto impatient = settings();
  impatient.expire = Seconds(30);
  scheduler.set(impatient);
  far_goes_down();
  EXPECT_EQ(scheduler.next_attempt(QueueId{1}), kStart + Seconds(30));
  now = kStart + Seconds(30);
  EXPECT_THAT(take().questions, SizeIs(1));
  route(1, 1, "far");
  EXPECT_THAT(take().decisions, SizeIs(1));
}

TEST_F(SchedulerTest, OneWhomAHostDeferredKeepsHisOwnScheduleWhereTheSiteIsDown) {
  (void)give({message(1), message(2, 2)});
  route(1, 1, "far");
  route(2, 2, "far");
  EXPECT_THAT(take().orders, SizeIs(2));
  record(1, 0, Disposition::deferred, no_connection());
  now = now + Seconds(50);
  record(2, 0, Disposition::deferred, {452, {4, 2, 2}, "full"});
  EXPECT_GE(scheduler.next_attempt(QueueId{2}), now + Seconds(60));
}

TEST_F(SchedulerTest, AProvenSiteIsNotDownForOneFailure) {
  (void)give({message(1), message(2)});
  for (const std::uint64_t id : {1U, 2U}) route(id, 1, "far");
  (void)take();
  record(1, 0, Disposition::delivered);
  record(2, 0, Disposition::deferred, no_connection());
  EXPECT_EQ(scheduler.next_attempt(QueueId{2}).has_value(), true);
  (void)give({message(3)});
  route(3, 1, "far");
  EXPECT_THAT(take().orders, SizeIs(1));
}

TEST_F(SchedulerTest, WhatARemoteHostSaysOfItsNetworkDoesNotTakeTheSiteDown) {
  (void)give({message(1)});
  route(1, 1, "far");
  (void)take();
  mail::RecipientOutcome outcome{0, Disposition::deferred, no_connection(), now};
  outcome.remote = "mx.example [192.0.2.1]";
  scheduler.recorded(QueueId{1}, std::span(&outcome, 1), now);
  (void)give({message(2)});
  route(2, 1, "far");
  EXPECT_THAT(take().orders, SizeIs(1));
}

TEST_F(SchedulerTest, AFlushMakesDueWhatWaitsOfAMessageOrASite) {
  (void)give({message(1), message(2)});
  route(1, 1, "smtp mx 10 a.example:25");
  route(2, 1, "smtp host [192.0.2.1]:25");
  (void)take();
  record(1, 0, Disposition::deferred, {452, {4, 2, 2}, "full"});
  record(2, 0, Disposition::deferred, no_connection());
  EXPECT_THAT(take().orders, SizeIs(0));
  EXPECT_EQ(scheduler.flush(QueueId{1}, now), 1U);
  EXPECT_THAT(take().questions, SizeIs(1));
  route(1, 1, "smtp mx 10 a.example:25");
  EXPECT_THAT(take().orders, SizeIs(1));
  EXPECT_EQ(scheduler.flush_site("192.0.2.1", now), 1U);
  EXPECT_THAT(take().questions, SizeIs(1));
  route(2, 1, "smtp host [192.0.2.1]:25");
  EXPECT_THAT(take().orders, SizeIs(1)) << "although it is down";
  EXPECT_EQ(scheduler.flush_site("A.Example", now), 0U) << "it is in hand";
  EXPECT_EQ(scheduler.flush_site("b.example", now), std::nullopt);
  EXPECT_EQ(scheduler.flush(QueueId{9}, now), std::nullopt);
}

TEST_F(SchedulerTest, TroubleAtASiteHalvesItsJobsAndARecipientsTroubleDoesNot) {
  std::vector<Message> messages;
  for (std::uint64_t i = 1; i <= 20; ++i) messages.push_back(message(i));
  (void)give(std::move(messages));
  for (std::uint64_t i = 1; i <= 20; ++i) route(i, 1);
  EXPECT_THAT(take().orders, SizeIs(4));
  record(1, 0, Disposition::deferred, {452, {4, 2, 2}, "mailbox full"});
  EXPECT_THAT(take().orders, SizeIs(1));
  record(2, 0, Disposition::deferred, {452, {4, 3, 1}, "disk full"});
  EXPECT_THAT(take().orders, SizeIs(0));
}

TEST_F(SchedulerTest, AFlushOfAParkedMessageMakesItTheOneThatFindsOut) {
  far_goes_down();
  (void)give({message(2), message(3), message(4)});
  for (const std::uint64_t id : {2U, 3U, 4U}) route(id, 1, "far");
  EXPECT_THAT(take().orders, SizeIs(0));
  EXPECT_EQ(scheduler.flush(QueueId{4}, now), 1U);
  const auto probe = take();
  ASSERT_THAT(probe.orders, SizeIs(1));
  EXPECT_EQ(probe.orders[0].id, QueueId{4});
}

TEST_F(SchedulerTest, AFlushLeavesWhatIsHeldAlone) {
  (void)give({message(1)});
  scheduler.hold_changed(QueueId{1}, true, now);
  EXPECT_EQ(scheduler.flush(QueueId{1}, now), 0U);
  EXPECT_EQ(scheduler.flush_all(now), 0U);
}

TEST_F(SchedulerTest, WhatWaitsAtASiteThatIsDownFollowsWhoeverFindsAnotherWay) {
  far_goes_down();
  (void)give({message(2), message(3)});
  for (const std::uint64_t id : {2U, 3U}) route(id, 1, "far");
  now = *take().wake;
  const auto probe = take();
  ASSERT_THAT(probe.orders, SizeIs(1));
  EXPECT_EQ(probe.orders[0].id, QueueId{2});
  ASSERT_THAT(probe.questions, SizeIs(1));
  route(1, 1, "near");
  const auto moved = take();
  EXPECT_THAT(moved.orders, SizeIs(1));
  ASSERT_THAT(moved.questions, SizeIs(1));
  EXPECT_EQ(moved.questions[0].id, QueueId{3});
  route(3, 1, "near");
  const auto also = take();
  ASSERT_THAT(also.orders, SizeIs(1));
  EXPECT_EQ(also.orders[0].site, "near");
}

TEST_F(SchedulerTest, ANewRouterIsAskedForWhatWaitsAtASiteThatIsDown) {
  far_goes_down();
  (void)give({message(2)});
  route(2, 1, "far");
  EXPECT_THAT(take().questions, SizeIs(0));
  scheduler.router_connected();
  const auto asked = take();
  ASSERT_THAT(asked.questions, SizeIs(1));
  EXPECT_EQ(asked.questions[0].id, QueueId{2});
  route(2, 1, "near");
  EXPECT_THAT(take().orders, SizeIs(1));
}

TEST_F(SchedulerTest, ALaterExpiryReachesWhatWaitsAtASiteThatIsDown) {
  far_goes_down();
  (void)give({message(2)});
  route(2, 1, "far");
  (void)take();
  auto s = settings();
  s.expire = Seconds(20'000);
  scheduler.set(s);
  now = kStart + Seconds(7200);
  EXPECT_THAT(take().decisions, SizeIs(0));
  now = kStart + Seconds(20'000);
  const auto expired = take();
  // The one that was given up as the probe meanwhile is with its agent.
  EXPECT_EQ(expired.decisions.size() + scheduler.counts().active, 1U);
}

TEST_F(SchedulerTest, AHostThatServesNobodyNowSlowsItsSiteDown) {
  for (const auto& reply : {mail::Reply{421, {4, 7, 0}, "too many connections"},
                            mail::Reply{421, {4, 0, 0}, "busy"}, mail::Reply{554, {5, 7, 1}, "blocked"}}) {
    Scheduler fresh(settings());
    std::swap(scheduler, fresh);
    SetUp();
    std::vector<Message> messages;
    for (std::uint64_t id = 1; id <= 8; ++id) messages.push_back(message(id));
    pull_seen = false;
    (void)give(std::move(messages));
    for (std::uint64_t id = 1; id <= 8; ++id) route(id, 1, "far");
    ASSERT_THAT(take().orders, SizeIs(4));
    for (std::uint64_t id = 1; id <= 4; ++id) {
      mail::RecipientOutcome outcome{0, Disposition::deferred, reply, now};
      outcome.remote = "mx.example [192.0.2.1]";
      scheduler.recorded(QueueId{id}, std::span(&outcome, 1), now);
    }
    EXPECT_THAT(take().orders, SizeIs(2)) << to_string(reply);
  }
}

TEST_F(SchedulerTest, AConnectionThatWasLostInASessionDoesNotTakeTheSiteDown) {
  (void)give({message(1), message(2)});
  route(1, 1, "far");
  (void)take();
  record(1, 0, Disposition::deferred, {451, {4, 4, 2}, "lost connection waiting for the reply to DATA"});
  route(2, 1, "far");
  EXPECT_THAT(take().orders, SizeIs(1));
}

}  // namespace
}  // namespace sternpost::queue

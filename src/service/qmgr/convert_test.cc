#include "service/qmgr/convert.h"

#include <gtest/gtest.h>

#include "base/codec.h"
#include "queue/retry.h"

namespace sternpost::qmgr {
namespace {

TEST(Convert, ManyDecisionsBecomeSeveralFramesWithinTheBound) {
  queue::Decided decided{QueueId{7}, {}};
  for (std::uint32_t i = 0; i < 2 * kMaxDecided + 1; ++i) {
    decided.recipients.push_back(
        {i, mail::Disposition::failed, {554, {5, 4, 7}, std::string(512, 'x')}, WallTime{1}});
  }
  const auto frames = to_decided(std::move(decided));
  ASSERT_EQ(frames.size(), 3U);
  std::uint32_t next = 0;
  for (const auto& frame : frames) {
    EXPECT_EQ(frame.id, QueueId{7});
    EXPECT_LT(encode(frame).size(), spool_qmgr::kMaxFrame - 16);
    for (const auto& recipient : frame.recipients) EXPECT_EQ(recipient.recipient, next++);
  }
  EXPECT_EQ(next, 2 * kMaxDecided + 1);
}

TEST(Convert, OrdersBecomeFramesByWhatTheyCarry) {
  std::vector<queue::Order> orders;
  for (std::uint64_t i = 1; i <= 512; ++i) {
    orders.push_back(
        {QueueId{i}, queue::Agent::smtp, std::vector<std::uint32_t>(100, 7), std::string(8UL * 1024, 's')});
  }
  const auto frames = to_orders(std::move(orders));
  ASSERT_GT(frames.size(), 1U);
  std::uint64_t next = 1;
  for (const auto& frame : frames) {
    ASSERT_FALSE(frame.orders.empty());
    EXPECT_LE(frame.orders.size(), spool_qmgr::kMaxBatch);
    EXPECT_LT(encode(frame).size(), spool_qmgr::kMaxFrame - 16);
    for (const auto& order : frame.orders) {
      EXPECT_EQ(order.id, QueueId{next++});
      EXPECT_EQ(order.agent, spool_qmgr::Agent::smtp);
      EXPECT_EQ(order.recipients.size(), 100U);
      EXPECT_EQ(order.site.size(), 8UL * 1024);
    }
  }
  EXPECT_EQ(next, 513U);
  EXPECT_TRUE(to_orders({}).empty());
}

TEST(Convert, ShortOrdersShareAFrame) {
  std::vector<queue::Order> orders;
  for (std::uint64_t i = 1; i <= 512; ++i) {
    orders.push_back({QueueId{i}, queue::Agent::virtual_mailbox, {0}, "virtual"});
  }
  EXPECT_EQ(to_orders(std::move(orders)).size(), 1U);
}

TEST(Convert, LookUpsBecomeFramesOfOneBatchEach) {
  std::vector<QueueId> ids;
  for (std::uint64_t i = 1; i <= 2 * spool_qmgr::kMaxBatch + 1; ++i) ids.push_back(QueueId{i});
  const auto frames = to_lookups(ids);
  ASSERT_EQ(frames.size(), 3U);
  std::vector<QueueId> sent;
  for (const auto& frame : frames) {
    EXPECT_LE(frame.ids.size(), spool_qmgr::kMaxBatch);
    sent.insert(sent.end(), frame.ids.begin(), frame.ids.end());
  }
  EXPECT_EQ(sent, ids);
  EXPECT_TRUE(to_lookups({}).empty());
}

TEST(Convert, ATellSaysWhomAndUntilWhen) {
  const auto tell = to_tell({QueueId{7}, true, {0, 3}, WallTime{9}});
  EXPECT_EQ(tell.id, QueueId{7});
  EXPECT_TRUE(tell.delayed);
  EXPECT_EQ(tell.recipients, (std::vector<std::uint32_t>{0, 3}));
  EXPECT_EQ(tell.until, WallTime{9});
}

TEST(Convert, AMessageKeepsWhatItOwesAndWhetherItsSenderWasWarned) {
  std::vector<spool_qmgr::PulledMessage> pulled(1);
  pulled[0].id = QueueId{7};
  pulled[0].owing = {1, 2};
  pulled[0].warned = true;
  pulled[0].recipients = {{0, *mail::Mailbox::from_wire("a@example.org"), 3, WallTime{5}, true}};
  const auto messages = to_messages(std::move(pulled));
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0].owing, (std::vector<std::uint32_t>{1, 2}));
  EXPECT_TRUE(messages[0].warned);
  EXPECT_EQ(messages[0].recipients.at(0).attempts, 3U);
  EXPECT_TRUE(messages[0].recipients.at(0).in_hand);
}

TEST(Convert, AnAnswerKeepsAgentSiteAndRule) {
  std::vector<router::RoutedRecipient> routed = {
      {4, {250, {2, 1, 5}, "ok"}, spool_qmgr::Agent::smtp, "smtp host a.example:25", {"routes", "f", 3}}};
  const auto answers = to_answers(std::move(routed));
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].index, 4U);
  EXPECT_EQ(answers[0].agent, queue::Agent::smtp);
  EXPECT_EQ(answers[0].site, "smtp host a.example:25");
  EXPECT_EQ(answers[0].rule.line, 3U);
}

TEST(Convert, SettingsHaveTheConcurrencyOfEachAgent) {
  config::QmgrSlice slice;
  slice.site_concurrency = 3;
  slice.smtp_site_concurrency = 20;
  slice.warn_seconds = 4;
  const auto settings = to_settings(slice);
  EXPECT_EQ(settings.site_concurrency[static_cast<std::size_t>(queue::Agent::virtual_mailbox)], 3U);
  EXPECT_EQ(settings.site_concurrency[static_cast<std::size_t>(queue::Agent::smtp)], 20U);
  EXPECT_EQ(settings.warn, Seconds(4));
}

TEST(Convert, CountsAreThoseOfTheScheduler) {
  const auto counts =
      to_counts({.routing = 1, .ready = 2, .active = 3, .deferred = 4, .held = 5, .owing = 6}, 9);
  EXPECT_EQ(counts.request, 9U);
  EXPECT_EQ(counts.routing, 1U);
  EXPECT_EQ(counts.ready, 2U);
  EXPECT_EQ(counts.active, 3U);
  EXPECT_EQ(counts.deferred, 4U);
  EXPECT_EQ(counts.held, 5U);
  EXPECT_EQ(counts.owing, 6U);
}

TEST(Convert, ASiteThatGoesDownOrComesUpIsARecord) {
  const auto down =
      to_record(queue::SiteDownNotice{"smtp host a.example:25", {451, {4, 4, 1}, "no answer"}, WallTime{9}});
  EXPECT_EQ(down.decision, Decision::throttled);
  EXPECT_EQ(down.rule.name, "site is down");
  EXPECT_EQ(down.facts.at(0), (Fact{"site", "smtp host a.example:25"}));
  EXPECT_EQ(down.outcome, "451 4.4.1 no answer");
  EXPECT_EQ(down.next, WallTime{9});
  const auto up = to_record(queue::SiteUpNotice{"smtp host a.example:25"});
  EXPECT_EQ(up.decision, Decision::throttled);
  EXPECT_EQ(up.rule.name, "site is up");
  EXPECT_EQ(up.facts.at(0), (Fact{"site", "smtp host a.example:25"}));
  EXPECT_FALSE(up.next);
}

TEST(Convert, NoticesBecomeRecords) {
  const Rule expire{"queue.expire", "f", 3};
  auto deferred = to_record(queue::DeferredNotice{QueueId{7}, {0, 2}, {452, {4, 2, 2}, "full"}, WallTime{9}});
  EXPECT_EQ(deferred.decision, Decision::deferred);
  EXPECT_EQ(deferred.next, WallTime{9});
  EXPECT_EQ(deferred.facts.at(0), (Fact{"recipients", "0 2"}));
  EXPECT_EQ(deferred.outcome, "452 4.2.2 full");
  auto expired = to_record(queue::FailedNotice{QueueId{7}, {0}, {554, queue::kExpiredStatus, "old"}, expire});
  EXPECT_EQ(expired.decision, Decision::failed);
  EXPECT_EQ(expired.rule, expire);
  auto routed = to_record(queue::RoutedNotice{
      QueueId{7},
      *mail::Mailbox::from_wire("a@example.org"),
      {0, {250, {2, 1, 5}, "ok"}, queue::Agent::virtual_mailbox, "virtual", {"domains", "f", 1}}});
  EXPECT_EQ(routed.decision, Decision::routed);
  EXPECT_EQ(routed.recipient, "a@example.org");
  EXPECT_EQ(routed.rule.line, 1U);
  EXPECT_EQ(routed.facts.at(1), (Fact{"site", "virtual"}));
}

}  // namespace
}  // namespace sternpost::qmgr

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

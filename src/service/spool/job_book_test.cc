#include "service/spool/job_book.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace sternpost::spool_service {
namespace {

constexpr ChannelId kOne = 1;
constexpr ChannelId kTwo = 2;
constexpr QueueId kId{7};

spool_agent::Outcome outcome(spool_agent::JobId job, std::initializer_list<std::uint32_t> recipients) {
  spool_agent::Outcome one{job, {}};
  for (const auto i : recipients) one.recipients.push_back({i, mail::Disposition::delivered, {}, {}});
  return one;
}

std::size_t ten_bytes(QueueId) {
  return 10;
}

TEST(job_book, keeps_recipients_in_hand_until_their_outcome_is_durable) {
  JobBook book(1000);
  const auto job = book.hand(kOne, kId, {2, 0}, 10);
  EXPECT_TRUE(book.in_hand(kId, 0));
  EXPECT_FALSE(book.in_hand(kId, 1));
  EXPECT_EQ(book.report(kOne, outcome(job, {0, 2})), kId);
  EXPECT_TRUE(book.in_hand(kId, 0));
  book.finish(job);
  EXPECT_FALSE(book.in_hand(kId));
  EXPECT_EQ(book.jobs(), 0U);
}

TEST(job_book, refuses_outcomes_that_are_not_the_channels_to_give) {
  JobBook book(1000);
  const auto job = book.hand(kOne, kId, {0, 1}, 10);
  EXPECT_FALSE(book.report(kTwo, outcome(job, {0, 1})));
  EXPECT_FALSE(book.report(kOne, outcome(job + 1, {0, 1})));
  EXPECT_FALSE(book.report(kOne, outcome(job, {0})));
  EXPECT_FALSE(book.report(kOne, outcome(job, {0, 1, 2})));
  EXPECT_FALSE(book.report(kOne, outcome(job, {0, 0})));
  auto deleted = outcome(job, {0, 1});
  deleted.recipients[0].disposition = mail::Disposition::deleted;
  EXPECT_FALSE(book.report(kOne, deleted));
  auto verbose = outcome(job, {0, 1});
  verbose.recipients[0].reply.text.assign(513, 'x');
  EXPECT_FALSE(book.report(kOne, verbose));
  EXPECT_TRUE(book.report(kOne, outcome(job, {1, 0})));
  EXPECT_FALSE(book.report(kOne, outcome(job, {1, 0}))) << "a second time";
}

TEST(job_book, opens_what_a_lost_agent_had_and_not_what_it_reported) {
  JobBook book(1000);
  const auto reported = book.hand(kOne, kId, {0}, 10);
  (void)book.hand(kOne, kId, {1}, 10);
  (void)book.hand(kTwo, kId, {2}, 10);
  ASSERT_TRUE(book.report(kOne, outcome(reported, {0})));
  const auto open = book.closed(kOne);
  ASSERT_EQ(open.size(), 1U);
  EXPECT_EQ(open[0].recipients, std::vector<std::uint32_t>{1});
  EXPECT_TRUE(book.in_hand(kId, 0));
  EXPECT_FALSE(book.in_hand(kId, 1));
  EXPECT_TRUE(book.in_hand(kId, 2));
}

TEST(job_book, takes_what_agents_announce_once) {
  JobBook book(1000);
  EXPECT_TRUE(book.announce(kOne, {{{5, kId, {0, 1}}, {6, {8}, {0}}}}, ten_bytes));
  EXPECT_TRUE(book.in_hand(kId, 1));
  EXPECT_FALSE(book.announce(kTwo, {{{5, {9}, {0}}}}, ten_bytes)) << "a number that is taken";
  EXPECT_FALSE(book.announce(kTwo, {{{7, kId, {1}}}}, ten_bytes)) << "a recipient that is in hand";
  EXPECT_FALSE(book.announce(kTwo, {{{8, {10}, {}}}}, ten_bytes)) << "nobody";
  EXPECT_TRUE(book.report(kOne, outcome(5, {0, 1})));
}

TEST(job_book, refuses_announcements_beyond_the_bounds_however_they_are_split) {
  JobBook book(1000);
  for (std::uint64_t i = 0; i < spool_agent::kMaxJobs; ++i) {
    ASSERT_TRUE(book.announce(kOne, {{{i, {i + 1}, {0}}}, false}, ten_bytes));
  }
  EXPECT_FALSE(book.announce(kOne, {{{spool_agent::kMaxJobs, {1}, {1}}}, true}, ten_bytes));
  (void)book.closed(kOne);

  std::vector<std::uint32_t> recipients(spool_agent::kMaxRecipientsInHand);
  std::ranges::generate(recipients, [next = 0U]() mutable { return next++; });
  EXPECT_TRUE(book.announce(kTwo, {{{1, kId, recipients}}, false}, ten_bytes));
  EXPECT_FALSE(book.announce(kTwo, {{{2, {8}, {0}}}, true}, ten_bytes));
}

TEST(job_book, has_room_for_no_more_jobs_and_recipients_than_an_agent_may_have) {
  JobBook book(1000);
  EXPECT_TRUE(book.has_room(kOne, spool_agent::kMaxRecipientsInHand, 0));
  spool_agent::JobId job = 0;
  for (std::uint64_t i = 0; i < spool_agent::kMaxJobs; ++i) {
    ASSERT_TRUE(book.has_room(kOne, 1, 0));
    job = book.hand(kOne, {i + 1}, {0}, 0);
  }
  EXPECT_FALSE(book.has_room(kOne, 1, 0));
  EXPECT_TRUE(book.has_room(kTwo, 1, 0)) << "another agent";
  ASSERT_TRUE(book.report(kOne, outcome(job, {0})));
  EXPECT_FALSE(book.has_room(kOne, 1, 0)) << "the outcome is not durable, and the agent keeps it";
  book.finish(job);
  EXPECT_TRUE(book.has_room(kOne, 1, 0));
  EXPECT_FALSE(book.has_room(kOne, spool_agent::kMaxRecipientsInHand, 0));
}

TEST(job_book, leaves_half_of_the_bytes_to_small_jobs) {
  constexpr auto kHalf = spool_agent::kMaxBytesInHand / 2;
  JobBook book(1000);
  EXPECT_TRUE(book.has_room(kOne, 1, 2 * spool_agent::kMaxBytesInHand)) << "it has nothing else";
  const auto job = book.hand(kOne, kId, {0}, kHalf);
  EXPECT_FALSE(book.has_room(kOne, 1, spool_agent::kPieceBytes + 1));
  EXPECT_TRUE(book.has_room(kOne, 1, spool_agent::kPieceBytes));
  ASSERT_TRUE(book.announce(kOne, {{{5, {8}, {0}}}}, [](QueueId) { return kHalf; }));
  EXPECT_FALSE(book.has_room(kOne, 1, 1)) << "announced jobs count";
  ASSERT_TRUE(book.report(kOne, outcome(job, {0})));
  book.finish(job);
  EXPECT_TRUE(book.has_room(kOne, 1, 1));
  (void)book.closed(kOne);
  EXPECT_TRUE(book.has_room(kOne, 1, 2 * spool_agent::kMaxBytesInHand));
}

}  // namespace
}  // namespace sternpost::spool_service

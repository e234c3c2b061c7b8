#include "runtime/agent/agent_desk.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sternpost {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

spool_agent::Job job(spool_agent::JobId number, std::vector<std::uint32_t> indexes = {0},
                     std::string content = "x") {
  spool_agent::Job made{number, QueueId{number + 100}, {}, {}, {}, std::move(content)};
  for (const auto index : indexes)
    made.recipients.push_back({index, *mail::Mailbox::from_wire("a@b.example")});
  return made;
}

/// With a file of no bytes.
spool_agent::Job job_with_file(spool_agent::JobId number) {
  auto made = job(number, {0}, "");
  made.file.emplace();
  made.descriptor = std::make_shared<const UniqueFd>(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  return made;
}

TEST(agent_desk, pieces_precede_the_last_one) {
  AgentDesk desk;
  ASSERT_TRUE(desk.take_piece({1, "one "}));
  ASSERT_TRUE(desk.take_piece({2, "other"}));
  ASSERT_TRUE(desk.take_piece({1, "two "}));
  ASSERT_TRUE(desk.take_job(job(1, {0}, "three")));
  EXPECT_EQ(desk.begin().content, "one two three");
  EXPECT_EQ(desk.next(), nullptr);
}

TEST(agent_desk, announces_jobs_that_wait_are_worked_on_or_are_not_acknowledged) {
  AgentDesk desk;
  for (spool_agent::JobId i = 1; i <= 3; ++i) ASSERT_TRUE(desk.take_job(job(i, {4, 7})));
  desk.begin();
  desk.begin();
  desk.finish({1, {}});
  const auto frames = desk.announce();
  ASSERT_THAT(frames, SizeIs(1));
  EXPECT_TRUE(frames[0].last);
  ASSERT_THAT(frames[0].jobs, SizeIs(3));
  EXPECT_EQ(frames[0].jobs[2].id, QueueId{103});
  EXPECT_THAT(frames[0].jobs[2].recipients, ElementsAre(4, 7));
  ASSERT_THAT(desk.unacknowledged(), SizeIs(1));
  EXPECT_EQ(desk.unacknowledged()[0].job, 1U);
  EXPECT_TRUE(desk.recorded({1}));
  EXPECT_EQ(desk.jobs(), 2U);
}

TEST(agent_desk, announces_much_in_several_frames_of_which_the_last_says_so) {
  AgentDesk desk;
  constexpr spool_agent::JobId kJobs = 4000;
  for (spool_agent::JobId i = 1; i <= kJobs; ++i) ASSERT_TRUE(desk.take_job(job(i, {0, 1})));
  const auto frames = desk.announce();
  ASSERT_GT(frames.size(), 1U);
  std::size_t announced = 0;
  for (const auto& frame : frames) {
    EXPECT_EQ(frame.last, &frame == &frames.back());
    EXPECT_LE(encode(frame).size(), spool_agent::kMaxFrame);
    announced += frame.jobs.size();
  }
  EXPECT_EQ(announced, kJobs);
}

TEST(agent_desk, drops_content_whose_job_did_not_come_before_spool_ended) {
  AgentDesk desk;
  ASSERT_TRUE(desk.take_piece({1, "half"}));
  EXPECT_TRUE(desk.announce().front().jobs.empty());
  ASSERT_TRUE(desk.take_job(job(1, {0}, "whole")));
  EXPECT_EQ(desk.begin().content, "whole");
}

TEST(agent_desk, refuses_breaches_of_the_protocol) {
  AgentDesk desk;
  EXPECT_FALSE(desk.recorded({9}));
  ASSERT_TRUE(desk.take_job(job(1)));
  EXPECT_FALSE(desk.take_job(job(1)));
  EXPECT_FALSE(desk.recorded({1})) << "no outcome yet";
  desk.begin();
  desk.finish({1, {}});
  EXPECT_FALSE(desk.take_job(job(1)));
  EXPECT_TRUE(desk.recorded({1}));
  EXPECT_FALSE(desk.recorded({1}));
  EXPECT_TRUE(desk.idle());
}

TEST(agent_desk, refuses_a_file_without_its_descriptor_or_beside_other_content) {
  AgentDesk desk;
  auto none = job_with_file(1);
  none.descriptor = nullptr;
  EXPECT_FALSE(desk.take_job(std::move(none)));
  auto unannounced = job_with_file(1);
  unannounced.file.reset();
  EXPECT_FALSE(desk.take_job(std::move(unannounced)));
  auto with_piece = job_with_file(1);
  with_piece.last_piece = "x";
  EXPECT_FALSE(desk.take_job(std::move(with_piece)));
  ASSERT_TRUE(desk.take_piece({2, "piece"}));
  EXPECT_FALSE(desk.take_job(job_with_file(2)));
  EXPECT_TRUE(desk.take_job(job_with_file(1)));
}

TEST(agent_desk, refuses_files_beyond_the_bound_and_counts_them_until_the_job_is_over) {
  AgentDesk desk;
  spool_agent::JobId next = 1;
  while (next <= AgentDesk::kMaxFiles) ASSERT_TRUE(desk.take_job(job_with_file(next++)));
  EXPECT_FALSE(desk.take_job(job_with_file(next)));
  EXPECT_TRUE(desk.take_job(job(next++))) << "one without a file";
  desk.begin();
  desk.finish({1, {}});
  EXPECT_TRUE(desk.take_job(job_with_file(next++)));
  EXPECT_FALSE(desk.take_job(job_with_file(next)));
  desk.begin();
  desk.forget(2);
  EXPECT_TRUE(desk.take_job(job_with_file(next++)));
}

TEST(agent_desk, goes_on_with_a_file_when_spool_is_a_new_one_and_forgets_what_cannot_be_read) {
  AgentDesk desk;
  ASSERT_TRUE(desk.take_job(job_with_file(1)));
  ASSERT_TRUE(desk.take_job(job_with_file(2)));
  EXPECT_THAT(desk.announce().front().jobs, SizeIs(2));
  EXPECT_TRUE(desk.begin().job.descriptor);
  desk.forget(1);
  EXPECT_THAT(desk.announce().front().jobs, SizeIs(1));
  EXPECT_TRUE(desk.unacknowledged().empty());
  EXPECT_FALSE(desk.recorded({1}));
}

TEST(agent_desk, refuses_jobs_beyond_the_bound) {
  AgentDesk desk;
  for (spool_agent::JobId i = 1; i <= AgentDesk::kMaxJobs; ++i) ASSERT_TRUE(desk.take_job(job(i, {})));
  EXPECT_FALSE(desk.take_job(job(AgentDesk::kMaxJobs + 1, {})));
}

TEST(agent_desk, refuses_content_beyond_the_bound_and_counts_it_until_the_outcome_is_there) {
  AgentDesk desk;
  ASSERT_TRUE(desk.take_job(job(1, {0}, std::string(spool_agent::kPieceBytes, 'x'))));
  desk.begin();
  const std::string piece(spool_agent::kPieceBytes, 'x');
  for (auto sent = piece.size(); sent + piece.size() <= AgentDesk::kMaxBytes; sent += piece.size()) {
    ASSERT_TRUE(desk.take_piece({2, piece}));
  }
  EXPECT_FALSE(desk.take_piece({2, piece}));
  desk.finish({1, {}});
  EXPECT_TRUE(desk.take_piece({2, piece}));
}

}  // namespace
}  // namespace sternpost

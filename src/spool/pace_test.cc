#include "spool/pace.h"

#include <gtest/gtest.h>

namespace sternpost::spool {
namespace {

constexpr std::uint64_t kLeast = 65536;

TEST(pace, lets_a_step_wait_until_commits_have_written_enough) {
  Pace pace(kLeast);
  EXPECT_EQ(pace.step(), 0U);
  pace.earn(8192);
  EXPECT_EQ(pace.step(), 0U);
  pace.earn(kLeast);
  EXPECT_GE(pace.step(), kLeast);
}

TEST(pace, keeps_up_with_commits_of_any_size) {
  for (const std::uint64_t commit : {8192U, 40960U, 143360U, 548864U}) {
    Pace pace(kLeast);
    std::uint64_t committed = 0;
    std::uint64_t written = 0;
    for (int i = 0; i < 1000; ++i) {
      pace.earn(commit);
      committed += commit;
      const auto bytes = pace.step();
      if (bytes == 0) continue;
      EXPECT_LE(bytes, kLeast + commit);
      pace.spend(bytes);
      written += bytes;
    }
    EXPECT_GT(written, committed - committed / 8) << commit;
    EXPECT_LE(written, committed) << commit;
  }
}

TEST(pace, makes_up_for_a_step_that_was_longer) {
  Pace pace(kLeast);
  pace.earn(kLeast);
  pace.spend(4 * kLeast);
  std::uint64_t committed = kLeast;
  for (; pace.step() == 0; committed += 8192) pace.earn(8192);
  EXPECT_GE(committed, 4 * kLeast);
}

TEST(pace, bounds_what_a_time_without_upkeep_leaves) {
  Pace pace(kLeast);
  pace.earn(1ULL << 40U);
  EXPECT_EQ(pace.step(), Pace::kMost);
  pace.spend(4 * Pace::kMost);
  pace.earn(UINT64_MAX);
  EXPECT_EQ(pace.step(), Pace::kMost) << "whatever was owed";
}

TEST(pace, makes_no_step_much_longer_than_a_commit_out_of_what_was_saved) {
  Pace pace(kLeast);
  for (int i = 0; i < 1000; ++i) pace.earn(8192);
  EXPECT_EQ(pace.step(), kLeast);
  pace.earn(2 * kLeast);
  EXPECT_EQ(pace.step(), 2 * kLeast);
}

TEST(pace, lets_steps_that_write_nothing_wait_too) {
  Pace pace(kLeast);
  pace.earn(kLeast);
  int steps = 0;
  for (; pace.step() > 0; ++steps) pace.spend(0);
  EXPECT_LE(steps, 2);
}

}  // namespace
}  // namespace sternpost::spool

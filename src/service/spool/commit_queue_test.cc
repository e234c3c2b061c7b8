#include "service/spool/commit_queue.h"

#include <gtest/gtest.h>

namespace sternpost::spool_service {
namespace {

TEST(commit_queue, is_not_urgent_any_more_when_the_decisions_that_made_it_so_are_dropped) {
  CommitQueue queue;
  for (std::uint64_t id = 1; id <= 1000; ++id) queue.add(spool::RecordOutcomes{{id}, {}}, ByQmgr{});
  EXPECT_TRUE(queue.urgent());
  queue.drop_decisions();
  EXPECT_TRUE(queue.empty());
  EXPECT_FALSE(queue.urgent());
}

TEST(commit_queue, stays_urgent_for_what_others_wait_for) {
  CommitQueue queue;
  queue.add(spool::RecordOutcomes{{1}, {}}, ByQmgr{});
  queue.add(spool::Hold{{2}}, ByAdmin{});
  queue.drop_decisions();
  EXPECT_FALSE(queue.empty());
  EXPECT_TRUE(queue.urgent());
}

TEST(commit_queue, drops_its_own_hold_of_a_message_that_was_released_and_no_other) {
  CommitQueue queue;
  queue.add(spool::Hold{{1}}, BySpool{});
  queue.drop_own_hold({1});
  EXPECT_TRUE(queue.empty());
  queue.add(spool::Hold{{1}}, ByAdmin{});
  queue.add(spool::Hold{{2}}, BySpool{});
  queue.drop_own_hold({1});
  queue.drop_own_hold({2});
  EXPECT_FALSE(queue.empty()) << "the administrator's stays";
}

}  // namespace
}  // namespace sternpost::spool_service

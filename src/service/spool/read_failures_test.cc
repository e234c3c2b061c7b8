#include "service/spool/read_failures.h"

#include <gtest/gtest.h>

namespace sternpost::spool_service {
namespace {

constexpr QueueId kOne{1};
constexpr QueueId kTwo{2};

class read_failures : public testing::Test {
 protected:
  bool fails(QueueId id) { return failures_.exhausted(id, now_); }
  void wait() { now_ += ReadFailures::kPeriod; }

  ReadFailures failures_;
  ReadFailures::Time now_;
};

TEST_F(read_failures, counts_each_message_for_itself) {
  for (unsigned tries = 1; tries < ReadFailures::kTries; ++tries, wait()) {
    EXPECT_FALSE(fails(kOne));
    EXPECT_FALSE(fails(kTwo));
  }
  EXPECT_TRUE(fails(kOne));
  EXPECT_TRUE(fails(kTwo));
}

TEST_F(read_failures, counts_many_failures_at_once_as_one) {
  for (unsigned tries = 0; tries < 100; ++tries) EXPECT_FALSE(fails(kOne));
}

TEST_F(read_failures, begins_anew_after_a_message_was_read) {
  for (unsigned tries = 1; tries < ReadFailures::kTries; ++tries, wait()) EXPECT_FALSE(fails(kOne));
  failures_.forget(kOne);
  EXPECT_FALSE(fails(kOne));
}

TEST_F(read_failures, does_not_remember_more_than_its_bound) {
  for (std::uint64_t id = 1; id <= ReadFailures::kMax; ++id) EXPECT_FALSE(fails({id}));
  for (unsigned tries = 1; tries < ReadFailures::kTries; ++tries, wait()) {
    EXPECT_FALSE(fails({ReadFailures::kMax + 1}));
  }
  EXPECT_TRUE(fails({ReadFailures::kMax + 1}));
}

}  // namespace
}  // namespace sternpost::spool_service

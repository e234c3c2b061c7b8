#include "queue/retry.h"

#include <gtest/gtest.h>

namespace sternpost::queue {
namespace {

Settings settings() {
  Settings s;
  s.retry_min = Seconds(300);
  s.retry_max = Seconds(4 * 3600);
  s.expire = Seconds(5 * 86400);
  return s;
}

TEST(Retry, GrowsWithAgeBetweenTheBounds) {
  const auto s = settings();
  Microseconds age(0);
  Microseconds last(0);
  for (std::uint32_t attempts = 1; attempts < 30; ++attempts) {
    const auto delay = retry_delay(s, QueueId{7}, attempts, age);
    EXPECT_GE(delay, s.retry_min);
    EXPECT_LE(delay, s.retry_max);
    EXPECT_GE(delay, last * 3 / 4) << "jitter is small";
    age += delay;
    last = delay;
  }
  EXPECT_GT(last, Seconds(3 * 3600));
}

TEST(Retry, AttemptNComesAboutNSquaredAfterArrival) {
  const auto s = settings();
  Microseconds age(0);
  for (std::uint32_t attempts = 1; attempts <= 5; ++attempts)
    age += retry_delay(s, QueueId{7}, attempts, age);
  EXPECT_NEAR(static_cast<double>(age.count()) / 1e6, 25 * 300.0, 25 * 300.0 / 8);
}

TEST(Retry, JitterIsTheSameAtEveryCallAndDiffersByMessage) {
  const auto s = settings();
  const Microseconds age = Seconds(3600);
  EXPECT_EQ(retry_delay(s, QueueId{7}, 3, age), retry_delay(s, QueueId{7}, 3, age));
  EXPECT_NE(retry_delay(s, QueueId{7}, 3, age), retry_delay(s, QueueId{8}, 3, age));
  EXPECT_NE(retry_delay(s, QueueId{7}, 3, age), retry_delay(s, QueueId{7}, 4, age));
}

TEST(Retry, ATimeFromAClockThatJumpedDoesNotStall) {
  const auto s = settings();
  const WallTime now{1'000'000'000'000'000};
  const WallTime future = now + Seconds(365 * 86400);
  EXPECT_LE(next_attempt(s, QueueId{7}, now, 1, future, now), now + s.retry_max);
  EXPECT_LE(next_attempt(s, QueueId{7}, future, 1, now, now), now + s.retry_max);
}

TEST(Retry, BoundsInTheWrongOrderMeanTheShorterOne) {
  auto s = settings();
  s.retry_max = Seconds(10);
  EXPECT_EQ(retry_delay(s, QueueId{7}, 1, Seconds(9999)), s.retry_min);
}

TEST(Retry, ExpiresAtTheAgeItself) {
  const auto s = settings();
  const WallTime arrival{1'000'000};
  EXPECT_FALSE(expired(s, arrival, arrival + s.expire - Microseconds(1)));
  EXPECT_TRUE(expired(s, arrival, arrival + s.expire));
}

}  // namespace
}  // namespace sternpost::queue

#include "queue/timers.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace sternpost::queue {
namespace {

TEST(Timers, ComeByTime) {
  Timers timers;
  EXPECT_TRUE(timers.empty());
  timers.add(WallTime{30}, QueueId{1});
  timers.add(WallTime{10}, QueueId{2});
  timers.add(WallTime{20}, QueueId{3});
  std::vector<std::uint64_t> fired;
  for (; !timers.empty(); timers.fired()) fired.push_back(timers.first().second.value);
  EXPECT_EQ(fired, (std::vector<std::uint64_t>{2, 3, 1}));
}

TEST(Timers, AreFilledAnewWhereMoreThanAThirdAreCancelled) {
  constexpr std::size_t kSet = 2 * Timers::kFew;
  std::mt19937_64 random(1);
  std::map<QueueId, WallTime> set;
  Timers timers;
  for (std::uint64_t i = 0; i < 100 * kSet; ++i) {
    const QueueId id{i % kSet};
    const WallTime time{static_cast<std::int64_t>(random() % 1'000'000)};
    if (set.contains(id)) timers.cancel();
    timers.add(time, id);
    set[id] = time;
    if (timers.wants_refill()) {
      timers.refill([&](const auto& add) {
        for (const auto& [one, at] : set) add(at, one);
      });
      EXPECT_EQ(timers.size(), set.size());
      EXPECT_FALSE(timers.wants_refill());
    }
    ASSERT_LE(timers.size(), kSet + kSet / 2);
  }
  std::map<QueueId, WallTime> fired;
  for (; !timers.empty(); timers.drop()) {
    const auto [time, id] = timers.first();
    if (set.at(id) == time) fired[id] = time;
  }
  EXPECT_EQ(fired, set);
}

TEST(Timers, AFewThatWereCancelledDoNotMatter) {
  Timers timers;
  for (std::size_t i = 0; i < Timers::kFew; ++i) {
    timers.add(WallTime{1}, QueueId{i});
    timers.cancel();
  }
  EXPECT_FALSE(timers.wants_refill());
  timers.add(WallTime{1}, QueueId{1});
  EXPECT_TRUE(timers.wants_refill());
  timers.clear();
  EXPECT_TRUE(timers.empty());
  EXPECT_FALSE(timers.wants_refill());
}

}  // namespace
}  // namespace sternpost::queue

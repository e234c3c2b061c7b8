#include "queue/pressure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sternpost::queue {
namespace {

constexpr WallTime kNow{1'700'000'000'000'000};

PressureLimits limits() {
  return {.max_backlog = 1000, .max_lag = Seconds(400), .max_memory_bytes = 4000};
}

PressureLevel level_for(const Load& load) {
  PressureGauge gauge(limits());
  const auto pressure = gauge.update(load, kNow);
  return pressure ? pressure->level : PressureLevel::none;
}

TEST(pressure, each_measure_slows_refuses_and_closes) {
  const auto backlog = [](std::uint64_t n) { return level_for({.backlog = n}); };
  EXPECT_EQ(backlog(250), PressureLevel::none);
  EXPECT_EQ(backlog(251), PressureLevel::slow);
  EXPECT_EQ(backlog(999), PressureLevel::slow);
  EXPECT_EQ(backlog(1000), PressureLevel::refuse);
  EXPECT_EQ(backlog(4000), PressureLevel::close);
  EXPECT_EQ(level_for({.lag = Seconds(100)}), PressureLevel::none);
  EXPECT_EQ(level_for({.lag = Seconds(101)}), PressureLevel::slow);
  EXPECT_EQ(level_for({.lag = Seconds(1600)}), PressureLevel::close);
  EXPECT_EQ(level_for({.lag = Seconds(-5)}), PressureLevel::none) << "a clock that went back";
  EXPECT_EQ(level_for({.memory_bytes = 4000}), PressureLevel::refuse);
  const auto disk = [](std::uint64_t n) { return level_for({.disk_bytes = n, .max_disk_bytes = 1000}); };
  EXPECT_EQ(disk(799), PressureLevel::none);
  EXPECT_EQ(disk(800), PressureLevel::slow);
  EXPECT_EQ(disk(900), PressureLevel::refuse);
  EXPECT_EQ(disk(970), PressureLevel::close);
  EXPECT_EQ(level_for({.disk_bytes = 5}), PressureLevel::none) << "nothing is known of the disk";
}

TEST(pressure, the_worst_measure_is_the_cause) {
  PressureGauge gauge(limits());
  const auto pressure = gauge.update({.backlog = 300, .memory_bytes = 5000}, kNow);
  ASSERT_TRUE(pressure);
  EXPECT_THAT(pressure->cause, testing::StartsWith("memory: "));
}

TEST(pressure, rises_at_once_and_falls_when_it_is_calm) {
  PressureGauge gauge(limits());
  EXPECT_TRUE(gauge.update({.backlog = 300}, kNow));
  EXPECT_FALSE(gauge.update({.backlog = 310}, kNow)) << "the same level";
  EXPECT_EQ(gauge.update({.backlog = 1000}, kNow)->level, PressureLevel::refuse);
  EXPECT_FALSE(gauge.update({.backlog = 0}, kNow));
  EXPECT_EQ(gauge.calm_at(), kNow + PressureGauge::kCalm);
  EXPECT_FALSE(gauge.update({.backlog = 1000}, kNow + Seconds(5))) << "back again";
  EXPECT_FALSE(gauge.calm_at());
  EXPECT_FALSE(gauge.update({.backlog = 0}, kNow + Seconds(6)));
  EXPECT_FALSE(gauge.update({.backlog = 0}, kNow + Seconds(15)));
  const auto calm = gauge.update({.backlog = 0}, kNow + Seconds(16));
  ASSERT_TRUE(calm);
  EXPECT_EQ(calm->level, PressureLevel::none);
  EXPECT_EQ(calm->cause, "");
}

TEST(pressure, falls_after_the_same_time_when_the_clock_is_set) {
  for (const auto step : {Seconds(-365LL * 86400), Seconds(-20), Seconds(20)}) {
    PressureGauge gauge(limits());
    ASSERT_TRUE(gauge.update({.backlog = 300}, kNow));
    EXPECT_FALSE(gauge.update({.backlog = 0}, kNow));
    gauge.clock_stepped(step);
    EXPECT_FALSE(gauge.update({.backlog = 0}, kNow + step + Seconds(9)));
    EXPECT_TRUE(gauge.update({.backlog = 0}, kNow + step + Seconds(10)));
  }
}

}  // namespace
}  // namespace sternpost::queue

#include "service/qmgr/boot_clock.h"

#include <gtest/gtest.h>

namespace sternpost::qmgr {
namespace {

constexpr WallTime kStart{1'700'000'000'000'000};

class BootClockTest : public testing::Test {
 protected:
  void pass(Microseconds time) {
    boot += time;
    wall = wall + time;
  }
  WallTime wall = kStart;
  Microseconds boot{0};
  BootClock clock{BootClock::Sources{[this] { return wall; }, [this] { return boot; }}};
};

TEST_F(BootClockTest, AWallClockThatStepsToAndFroMovesNothing) {
  for (const auto step : {Seconds(3600), Seconds(-3600)}) {
    pass(Seconds(10));
    wall = wall + step;
    const auto before = clock.now();
    pass(Seconds(30));
    EXPECT_EQ(clock.now(), before + Seconds(30));
    wall = wall - step;
    EXPECT_EQ(clock.now(), wall);
    pass(Seconds(300));
    EXPECT_EQ(clock.now(), wall);
  }
}

TEST_F(BootClockTest, AWallClockThatStaysApartIsFollowed) {
  for (const auto step : {Seconds(3600), Seconds(-7200), Seconds(1'000'000'000)}) {
    wall = wall + step;
    const auto before = clock.now();
    EXPECT_NE(before, wall);
    pass(BootClock::kPatience - Seconds(1));
    EXPECT_EQ(clock.now(), before + BootClock::kPatience - Seconds(1));
    EXPECT_EQ(clock.take_step(), Seconds(0));
    pass(Seconds(1));
    EXPECT_EQ(clock.now(), wall);
    EXPECT_EQ(clock.take_step(), step);
    EXPECT_EQ(clock.take_step(), Seconds(0)) << "it was told of";
    pass(Seconds(5));
    EXPECT_EQ(clock.now(), wall);
  }
}

TEST_F(BootClockTest, ASlewedClockIsNotChased) {
  wall = wall + BootClock::kTolerance;
  pass(BootClock::kPatience * 2);
  EXPECT_EQ(clock.now(), wall - BootClock::kTolerance);
}

}  // namespace
}  // namespace sternpost::qmgr

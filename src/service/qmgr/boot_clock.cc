#include "service/qmgr/boot_clock.h"

#include <chrono>
#include <ctime>
#include <utility>

namespace sternpost::qmgr {

BootClock::BootClock(Sources sources)
    : sources_(std::move(sources)), wall_at_start_(sources_.wall()), boot_at_start_(sources_.since_boot()) {}

WallTime BootClock::now() {
  const auto boot = sources_.since_boot();
  const auto wall = sources_.wall();
  const auto carried = wall_at_start_ + (boot - boot_at_start_);
  if (std::chrono::abs(wall - carried) <= kTolerance) {
    apart_since_.reset();
    return carried;
  }
  if (!apart_since_) apart_since_ = boot;
  if (boot - *apart_since_ < kPatience) return carried;
  apart_since_.reset();
  step_ += wall - carried;
  wall_at_start_ = wall;
  boot_at_start_ = boot;
  return wall;
}

Microseconds BootClock::since_boot() {
  timespec t{};
  ::clock_gettime(CLOCK_BOOTTIME, &t);
  return Seconds(t.tv_sec) + Microseconds(t.tv_nsec / 1'000);
}

}  // namespace sternpost::qmgr

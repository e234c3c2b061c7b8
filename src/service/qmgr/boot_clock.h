// Wall time that does not jump: the wall clock at the start, carried on by the boot clock.
#pragma once

#include <functional>
#include <optional>
#include <utility>

#include "base/time.h"

namespace sternpost::qmgr {

/// A wall clock that was set is followed only when it stays apart, so that what steps to and fro moves no
/// schedule, and one that was wrong at the start is not wrong for ever.
class BootClock {
 public:
  /// How far the clocks may be apart.
  static constexpr Seconds kTolerance{2};
  /// For how long a wall clock that is further apart is not believed.
  static constexpr Seconds kPatience{60};

  struct Sources {
    std::function<WallTime()> wall = wall_now;
    std::function<Microseconds()> since_boot = BootClock::since_boot;
  };

  BootClock() : BootClock(Sources{wall_now, since_boot}) {}
  explicit BootClock(Sources sources);

  [[nodiscard]] WallTime now();
  /// By how much now() stepped, because it followed the wall clock, since this was asked last.
  [[nodiscard]] Microseconds take_step() { return std::exchange(step_, {}); }

 private:
  /// Goes on while the machine sleeps.
  static Microseconds since_boot();

  Sources sources_;
  WallTime wall_at_start_;
  Microseconds boot_at_start_;
  std::optional<Microseconds> apart_since_;
  Microseconds step_{0};
};

}  // namespace sternpost::qmgr

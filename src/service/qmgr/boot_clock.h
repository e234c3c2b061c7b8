// Wall time that does not jump: the wall clock at the start, carried on by the boot clock.
#pragma once

#include "base/time.h"

namespace sternpost::qmgr {

class BootClock {
 public:
  BootClock() : wall_at_start_(wall_now()), boot_at_start_(since_boot()) {}

  [[nodiscard]] WallTime now() const { return wall_at_start_ + (since_boot() - boot_at_start_); }

 private:
  /// Goes on while the machine sleeps.
  static Microseconds since_boot();

  WallTime wall_at_start_;
  Microseconds boot_at_start_;
};

}  // namespace sternpost::qmgr

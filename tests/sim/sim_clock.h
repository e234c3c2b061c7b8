// A clock that goes on at each look at it, and whose wall time somebody sets.
#pragma once

#include "spool/disk.h"

namespace sternpost::sim {

class SimClock : public spool::Clock {
 public:
  WallTime now() override { return wall_ + elapsed(); }
  Microseconds elapsed() override { return elapsed_ += Milliseconds(100); }
  /// Somebody sets the wall clock.
  void step_to(WallTime time) { wall_ = time - elapsed_; }

 private:
  WallTime wall_{1'700'000'000'000'000};  ///< when nothing had elapsed
  Microseconds elapsed_{0};
};

}  // namespace sternpost::sim

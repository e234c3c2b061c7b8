// Counters that `sternpost status` shows and tests read.
#pragma once

#include <cstdint>

namespace sternpost {

/// What the loop and the channels of one process have done.
struct TrafficCounters {
  std::uint64_t wakeups = 0;  ///< returns from waiting with something to do
  std::uint64_t frames_in = 0;
  std::uint64_t frames_out = 0;
  std::uint64_t writes = 0;  ///< system calls that wrote to channels
};

}  // namespace sternpost

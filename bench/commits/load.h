// The load: producers with one message in hand each, who hand over the next one as soon as that is durable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "store.h"

namespace sternpost::bench {

struct Plan {
  std::size_t producers = 1;
  double seconds = 1;
  std::uint64_t room = 0;  ///< messages after which the run ends in any case
};

struct Measured {
  std::uint64_t messages = 0;
  double seconds = 0;
  double cpu_seconds = 0;            ///< user and system, of all threads of the process
  std::vector<double> microseconds;  ///< that producers waited, in order of length
};

/// Producers that take no time: all of them have their next message ready when a group is durable. One
/// thread.
Measured run_at_once(Store& store, const Plan& plan);

/// A thread for each producer. They commit themselves where the store is shared; otherwise they hand over to
/// one thread, which commits all that came while the last group was synced.
Measured run_threads(Store& store, const Plan& plan);

}  // namespace sternpost::bench

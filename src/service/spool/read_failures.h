// How often each message was read in vain, so that what the disk fails at for now is told from what it fails
// at every time.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>

#include "base/queue_id.h"

namespace sternpost::spool_service {

class ReadFailures {
 public:
  using Time = std::chrono::steady_clock::time_point;
  /// Failures that count within this are one.
  static constexpr std::chrono::milliseconds kPeriod{900};
  /// How many are enough.
  static constexpr unsigned kTries = 5;
  /// Messages that are remembered.
  static constexpr std::size_t kMax = 4096;

  /// True where the message was read in vain for so long that it is not to be tried any more; then it is
  /// forgotten.
  bool exhausted(QueueId id, Time now);
  /// It was read, or is gone.
  void forget(QueueId id) { failures_.erase(id); }

 private:
  struct Failures {
    unsigned tries = 0;
    Time last;
  };
  std::map<QueueId, Failures> failures_;
};

}  // namespace sternpost::spool_service

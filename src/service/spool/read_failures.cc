#include "service/spool/read_failures.h"

namespace sternpost::spool_service {

bool ReadFailures::exhausted(QueueId id, Time now) {
  if (failures_.size() >= kMax && !failures_.contains(id)) failures_.erase(failures_.begin());
  auto& known = failures_[id];
  if (known.tries > 0 && now - known.last < kPeriod) return false;
  known.last = now;
  if (++known.tries < kTries) return false;
  failures_.erase(id);
  return true;
}

}  // namespace sternpost::spool_service

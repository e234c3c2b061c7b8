#include "queue/retry.h"

#include <algorithm>
#include <cmath>

#include "base/checksum.h"

namespace sternpost::queue {
namespace {

/// A number in [0, 1) that depends on the id and the attempt alone.
double fraction(QueueId id, std::uint32_t attempts) {
  const auto text = to_string(id);
  const auto bits = checksum(text, attempts) >> 11U;
  return static_cast<double>(bits) / static_cast<double>(std::uint64_t{1} << 53U);
}

}  // namespace

Microseconds retry_delay(const Settings& settings, QueueId id, std::uint32_t attempts, Microseconds age) {
  const auto shortest = static_cast<double>(Microseconds(settings.retry_min).count());
  const auto longest = std::max(shortest, static_cast<double>(Microseconds(settings.retry_max).count()));
  const auto elapsed = static_cast<double>(std::max<std::int64_t>(age.count(), 0));
  const auto base = std::clamp(shortest + 2 * std::sqrt(shortest * elapsed), shortest, longest);
  const auto from = std::max(shortest, base * 15 / 16);
  const auto to = std::min(longest, base * 17 / 16);
  return Microseconds(std::llround(from + (to - from) * fraction(id, attempts)));
}

WallTime next_attempt(const Settings& settings, QueueId id, WallTime arrival, std::uint32_t attempts,
                      WallTime last, WallTime now) {
  const auto planned = last + retry_delay(settings, id, attempts, last - arrival);
  return std::min(planned, now + std::max(settings.retry_min, settings.retry_max));
}

bool expired(const Settings& settings, WallTime arrival, WallTime when) {
  return when - arrival >= Microseconds(settings.expire);
}

}  // namespace sternpost::queue

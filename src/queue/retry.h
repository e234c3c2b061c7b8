// When a deferred recipient is tried again, and when that ends.
#pragma once

#include <cstdint>

#include "base/queue_id.h"
#include "base/time.h"
#include "mail/status.h"
#include "queue/events.h"

namespace sternpost::queue {

/// The time from an attempt at `age` (since arrival) to the next: qmail's quadratic schedule. Attempt n
/// happens about n*n*retry_min after arrival, so the gap after an attempt at age a is retry_min +
/// 2*sqrt(retry_min*a), within retry_min and retry_max. Up to an eighth of it is jitter from the id and the
/// count of attempts: the same at every call, so that a restart plans what was planned, and shared by the
/// recipients of one attempt.
Microseconds retry_delay(const Settings& settings, QueueId id, std::uint32_t attempts, Microseconds age);

/// The next attempt after one at `last`, seen at `now`. Never later than retry_max from now, whatever a clock
/// that jumped wrote into `last`.
WallTime next_attempt(const Settings& settings, QueueId id, WallTime arrival, std::uint32_t attempts,
                      WallTime last, WallTime now);

/// What is said of a recipient that was tried for too long (RFC 3463 section 3.5).
inline constexpr mail::EnhancedStatus kExpiredStatus{5, 4, 7};

/// True when a deferral at `when` ends the tries for a message from `arrival`.
bool expired(const Settings& settings, WallTime arrival, WallTime when);

}  // namespace sternpost::queue

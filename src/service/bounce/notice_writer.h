// What is written about a message that failed or is late, and to whom.
#pragma once

#include "base/time.h"
#include "config/slices.h"
#include "service/spool/notice_protocol.h"

namespace sternpost::bounce {

/// The notice, or that nobody is to be told: never a sender who is null of a delay, never a robot of a delay,
/// and of a failure without a sender the postmaster, once.
spool_notice::FromBounce answer(spool_notice::Job&& job, const config::BounceSlice& slice, WallTime now);

}  // namespace sternpost::bounce

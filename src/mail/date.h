// The date-time of message headers (RFC 5322 section 3.3).
#pragma once

#include <string>

#include "base/time.h"

namespace sternpost::mail {

/// "Sat, 21 Nov 2026 08:13:32 +0000". Always in UTC: a confined process has no time zone files, and servers
/// that agree on one zone are easier to follow. Years beyond 9999 are outside of the format and not produced.
std::string to_rfc5322(WallTime t);

}  // namespace sternpost::mail

// The file from which DNSSEC validation starts, opened for dns.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "config/slices.h"
#include "service/master/launcher.h"

namespace sternpost {

/// The file of dns.trust_anchor, for reading; it is never read here. The error names the key, and the package
/// that the file is missing for.
Result<UniqueFd> open_trust_anchor(const Launcher& launcher, const config::MasterSlice& settings);

}  // namespace sternpost

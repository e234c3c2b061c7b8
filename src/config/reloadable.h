// Which changes of the configuration a running instance can take.
#pragma once

#include "base/result.h"
#include "config/slices.h"

namespace sternpost::config {

/// Fails, as permanent, where `wanted` changes what master opened or decided before it confined itself; the
/// error names the key. Parameters with Reload::restart that master sees are those.
Result<void> check_reloadable(const MasterSlice& now, const MasterSlice& wanted);

}  // namespace sternpost::config

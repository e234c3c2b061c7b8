// `sternpost start`: becomes, or starts, the master of an instance.
#pragma once

#include "tool/failure.h"
#include "tool/options.h"

namespace sternpost::tool {

/// In the foreground this does not return where it succeeds: the process becomes master. In the background it
/// returns when the instance is ready, having printed master's own line, or with what master said when it
/// failed.
Outcome<void> start(const Options& options, bool foreground);

}  // namespace sternpost::tool

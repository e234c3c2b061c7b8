// Commands for a running instance as a whole: stop, reload, status.
#pragma once

#include <string>

#include "service/admin/protocol.h"
#include "tool/failure.h"
#include "tool/options.h"

namespace sternpost::tool {

/// Returns when master has ended.
Outcome<void> stop(const Options& options);
/// Returns when the new configuration is in force everywhere, or refused.
Outcome<void> reload(const Options& options);
/// Prints the processes and the queue; with `counters`, what each process counted.
Outcome<void> status(const Options& options, bool counters);

/// What status prints.
std::string status_text(const admin::StatusReply& reply, bool counters);
std::string status_json(const admin::StatusReply& reply);

}  // namespace sternpost::tool

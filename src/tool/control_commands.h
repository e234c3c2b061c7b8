// Commands for a running instance as a whole: stop, reload, status.
#pragma once

#include <string>

#include "service/admin/protocol.h"
#include "service/master/plan.h"
#include "tool/failure.h"
#include "tool/options.h"

namespace sternpost::tool {

/// Returns when master has ended.
Outcome<void> stop(const Options& options);
/// Returns when the new configuration is in force everywhere, or refused.
Outcome<void> reload(const Options& options);
/// Prints the processes and the queue; with `counters`, what each process counted.
Outcome<void> status(const Options& options, bool counters);

/// Prints the plan with the layers that hold in the running instance, or, where none runs, that would hold in
/// one that the caller started.
Outcome<void> show_plan(const Options& options);

/// What status prints.
std::string status_text(const admin::StatusReply& reply, bool counters);
std::string status_json(const admin::StatusReply& reply);
/// The layers of each row with a process that is ready; of several, those of the first.
RunningLayers running_layers(const admin::StatusReply& reply);

}  // namespace sternpost::tool

// What `sternpost spool repair` changes in a queue.
#pragma once

#include <functional>
#include <string>

#include "tool/repair_plan.h"

namespace sternpost::tool {

/// Is told of each thing that was done.
using Progress = std::function<void(const std::string& done)>;

/// Does what `plan` says there is to do. Ended at any moment, also by a failure of any call, it leaves a
/// queue that has lost nothing more, and that another plan finishes.
Outcome<void> mend(const QueueOnDisk& queue, spool::Clock& clock, const RepairPlan& plan,
                   const Progress& progress);

/// Whether the next start finds it whole.
Outcome<void> verify(const QueueOnDisk& queue, spool::Clock& clock);

}  // namespace sternpost::tool

// `sternpost spool repair`, on disks of any kind.
#pragma once

#include "tool/repair_plan.h"
#include "tool/spool_commands.h"

namespace sternpost::tool {

/// See spool_repair(). Ended at any moment, also by a failure of any call, it leaves a queue that has lost
/// nothing more, and that the next run finishes.
Outcome<void> repair(const QueueOnDisk& queue, spool::Clock& clock, const RepairOrder& order, bool json);

}  // namespace sternpost::tool

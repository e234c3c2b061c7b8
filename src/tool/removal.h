// How a command takes a message out of the queue on disk.
#pragma once

#include <string>

#include "spool/engine.h"
#include "spool/ops.h"
#include "tool/failure.h"

namespace sternpost::tool {

/// All recipients that are open or owed a notice are *deleted*; `why` is what is said of it.
spool::RecordOutcomes removal_of(QueueId id, const spool::MessageState& state, const std::string& why);

/// Removes the content files that nobody needs any more. `disk` is the main one of the engine.
Outcome<void> remove_discarded(spool::Engine& engine, spool::Disk& disk);

}  // namespace sternpost::tool

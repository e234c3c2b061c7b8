// What a command removes beside the messages that it takes out of the queue on disk.
#pragma once

#include "spool/engine.h"
#include "tool/failure.h"

namespace sternpost::tool {

/// Removes the content files that nobody needs any more. `disk` is the main one of the engine.
Outcome<void> remove_discarded(spool::Engine& engine, spool::Disk& disk);

}  // namespace sternpost::tool

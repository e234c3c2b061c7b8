// Which messages of a damaged queue are gone, and what can still be read about them.
#pragma once

#include <optional>
#include <vector>

#include "base/queue_id.h"
#include "mail/envelope.h"
#include "spool/engine.h"
#include "tool/failure.h"

namespace sternpost::tool {

struct LostMessage {
  QueueId id;
  std::optional<mail::Envelope> envelope;  ///< where the head of its record is whole
};

/// Messages with a damaged record that are not in the queue, although nothing in the log says that they were
/// finished; by rising id. A damaged place of which no id is known may have held others.
Outcome<std::vector<LostMessage>> find_lost(const spool::Disks& disks, const spool::Engine& engine);

}  // namespace sternpost::tool

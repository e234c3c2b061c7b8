// New messages that are made ready for the index while the disk makes their records durable, so that little
// is left to do then.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/queue_id.h"
#include "spool/index.h"
#include "spool/message.h"
#include "spool/packed_message.h"

namespace sternpost::spool {

/// Of one group: all in the same segment.
class Arrivals {
 public:
  void add(QueueId id, const Message& message);
  void clear();

 private:
  friend class Index;  // which takes them

  std::unordered_map<QueueId, PackedMessage> packed_;
  std::vector<QueueId> ids_;  ///< in the order of their positions
  std::uint32_t slot_ = 0;
  Index::Need need_;
  std::uint64_t file_bytes_ = 0;
};

}  // namespace sternpost::spool

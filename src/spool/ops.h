// What can be done to the spool, durably.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/queue_id.h"
#include "base/time.h"
#include "mail/envelope.h"
#include "mail/outcome.h"
#include "spool/content_file.h"
#include "spool/message_state.h"

namespace sternpost::spool {

/// A new message under a leased id that was not used yet. At least one recipient. A notice says what it
/// settles: both happen, or neither.
struct AddMessage {
  QueueId id;
  mail::Envelope envelope;
  std::string content;  ///< empty where it is in `file`
  bool held = false;
  std::optional<Settlement> settles = {};
  /// The content file of this id, which is durable. It is the engine's from here on, whatever comes of the
  /// message: Engine::take_discarded() says when it may go. What is refused may be sent again before that is
  /// asked, and else under another id.
  std::optional<ContentFile> file = {};
};

/// The envelope as routing resolved it. No fewer recipients than before; finished ones keep index and
/// address, an open one whose address changes starts anew without attempts.
struct ReplaceEnvelope {
  QueueId id;
  mail::Envelope envelope;
};

/// What became of open recipients; *deleted* and *bounced* also of those that failed. The message is finished
/// when all are delivered, deleted or bounced: one that failed keeps it, for a notice is owed.
struct RecordOutcomes {
  QueueId id;
  std::vector<mail::RecipientOutcome> outcomes;
};

struct Hold {
  QueueId id;
};

struct Release {
  QueueId id;
};

/// Takes a message out of the queue: all recipients that are open or owed a notice are *deleted*; `why` is
/// what is said of it.
RecordOutcomes removal_of(QueueId id, const MessageState& state, const std::string& why, WallTime when);

using Op = std::variant<AddMessage, ReplaceEnvelope, RecordOutcomes, Hold, Release>;

}  // namespace sternpost::spool

// What the SMTP server wants done: values that its shell carries out.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "base/queue_id.h"
#include "base/rule.h"
#include "mail/envelope.h"
#include "mail/status.h"

namespace sternpost::smtp {

/// Ask whether this recipient may be accepted; answered by Server::verdict with the same number.
struct VerifyRecipient {
  std::uint32_t request = 0;
  mail::ReversePath sender;
  mail::Mailbox recipient;
};

/// A message is about to come; answered by Server::grant_id or Server::refuse_id.
struct WantId {};

/// Content of the message ahead of its commit; always of ServerLimits::piece_bytes.
struct SendPiece {
  QueueId id;
  std::string bytes;
};

/// The message is whole; answered by Server::committed or Server::not_committed.
struct Commit {
  QueueId id;
  mail::Envelope envelope;
  std::string last_piece;   ///< all content that no SendPiece carried, at most piece_bytes
  std::uint64_t bytes = 0;  ///< of the message as the client sent it
  Rule rule;                ///< by which the first recipient was accepted
};

/// Pieces were sent for a message that will not be committed.
struct Abandon {
  QueueId id;
};

/// The client was refused something; for records only, the reply is written already.
struct Refusal {
  mail::Reply reply;
  Rule rule;
  QueueId id;             ///< of the message that was refused after its DATA
  std::string sender;     ///< "<>" for the null reverse-path, empty outside of a transaction
  std::string recipient;  ///< empty where the refusal is not about one
};

using Action = std::variant<VerifyRecipient, WantId, SendPiece, Commit, Abandon, Refusal>;

}  // namespace sternpost::smtp

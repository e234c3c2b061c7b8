// Channel between spool and qmgr.
//
// qmgr pulls what it may work on and orders jobs; spool hands them to agents and tells what was recorded.
// qmgr holds nothing that is not in spool: on a new channel, at either side's restart, it forgets all and
// pulls from position 0 again.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "base/codec.h"
#include "base/queue_id.h"
#include "mail/envelope.h"
#include "mail/outcome.h"

namespace sternpost::spool_qmgr {

inline constexpr std::size_t kMaxFrame = 512 * 1024;
/// The most messages in one Pulled frame, and jobs in one Orders frame.
inline constexpr std::uint32_t kMaxBatch = 512;

/// Which kind of agent is to do a job.
enum class Agent : unsigned char { virtual_mailbox };

/// Asks for up to `max` live messages behind `after` (a position that Pulled gave, 0 for the first). Answered
/// by exactly one Pulled, at once where there is something and otherwise as soon as there is.
struct Pull {
  std::uint64_t after = 0;
  std::uint32_t max = 0;
  static constexpr auto fields() { return std::tuple(&Pull::after, &Pull::max); }
};

struct Order {
  QueueId id;
  Agent agent = Agent::virtual_mailbox;
  std::vector<std::uint32_t> recipients;
  static constexpr auto fields() { return std::tuple(&Order::id, &Order::agent, &Order::recipients); }
};

struct Orders {
  std::vector<Order> orders;
  static constexpr auto fields() { return std::tuple(&Orders::orders); }
};

/// Outcomes that need no agent: a route that fails for good, or for now. Answered by Recorded.
struct Decided {
  QueueId id;
  std::vector<mail::RecipientOutcome> recipients;
  static constexpr auto fields() { return std::tuple(&Decided::id, &Decided::recipients); }
};

using ToSpool = std::variant<Pull, Orders, Decided>;

/// A recipient that is not finished. `in_hand`: an agent works on it now, and Recorded will follow.
struct OpenRecipient {
  std::uint32_t index = 0;
  mail::Mailbox address;
  std::uint32_t attempts = 0;
  WallTime last_attempt;  ///< zero where there was none
  bool in_hand = false;
  static constexpr auto fields() {
    return std::tuple(&OpenRecipient::index, &OpenRecipient::address, &OpenRecipient::attempts,
                      &OpenRecipient::last_attempt, &OpenRecipient::in_hand);
  }
};

struct PulledMessage {
  QueueId id;
  WallTime arrival;
  std::uint64_t bytes = 0;
  bool held = false;
  mail::ReversePath reverse_path;
  std::vector<OpenRecipient> recipients;
  static constexpr auto fields() {
    return std::tuple(&PulledMessage::id, &PulledMessage::arrival, &PulledMessage::bytes,
                      &PulledMessage::held, &PulledMessage::reverse_path, &PulledMessage::recipients);
  }
};

/// The messages, and the position to pull behind next time. May be shorter than asked (the frame is bounded).
struct Pulled {
  std::vector<PulledMessage> messages;
  std::uint64_t position = 0;
  static constexpr auto fields() { return std::tuple(&Pulled::messages, &Pulled::position); }
};

struct RecordedMessage {
  QueueId id;
  std::vector<mail::RecipientOutcome> recipients;
  static constexpr auto fields() { return std::tuple(&RecordedMessage::id, &RecordedMessage::recipients); }
};

/// These outcomes are durable, whoever brought them.
struct Recorded {
  std::vector<RecordedMessage> messages;
  static constexpr auto fields() { return std::tuple(&Recorded::messages); }
};

/// An order that was not carried out: the recipients are open again. Tried again when an agent is there.
struct NotHanded {
  QueueId id;
  std::vector<std::uint32_t> recipients;
  static constexpr auto fields() { return std::tuple(&NotHanded::id, &NotHanded::recipients); }
};

/// The administrator held or released a message, durably.
struct HoldChanged {
  QueueId id;
  bool held = false;
  static constexpr auto fields() { return std::tuple(&HoldChanged::id, &HoldChanged::held); }
};

using FromSpool = std::variant<Pulled, Recorded, NotHanded, HoldChanged>;

}  // namespace sternpost::spool_qmgr

namespace sternpost {
template <>
inline constexpr unsigned kEnumBound<spool_qmgr::Agent> = 1;
}

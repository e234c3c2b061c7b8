// Channel between spool and qmgr.
//
// qmgr pulls what it may work on and orders jobs; spool hands them to agents and tells what was recorded.
// qmgr holds nothing that is not in spool, and of a message that waits not even the addresses: on a new
// channel, at either side's restart, it forgets all and pulls from position 0 again.
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
#include "queue/pressure.h"

namespace sternpost::spool_qmgr {

/// Holds one message with 10,000 recipients of 320 octets.
inline constexpr std::size_t kMaxFrame = 4 * 1024 * 1024;
/// The most messages in one Pulled frame, and jobs in one Orders frame.
inline constexpr std::uint32_t kMaxBatch = 512;

/// Which kind of agent is to do a job.
enum class Agent : unsigned char { virtual_mailbox, smtp };

/// Asks for up to `max` live messages behind `after` (a position that Pulled gave, 0 for the first). Answered
/// by exactly one Pulled, at once where there is something and otherwise as soon as there is.
struct Pull {
  std::uint64_t after = 0;
  std::uint32_t max = 0;
  static constexpr auto fields() { return std::tuple(&Pull::after, &Pull::max); }
};

/// `site` is router's word for where to, and handed to the agent as it is.
struct Order {
  QueueId id;
  Agent agent = Agent::virtual_mailbox;
  std::vector<std::uint32_t> recipients;
  std::string site = {};
  static constexpr auto fields() {
    return std::tuple(&Order::id, &Order::agent, &Order::recipients, &Order::site);
  }
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

/// Have the sender told: that these recipients failed, or (`delayed`) that these are late and will be tried
/// until `until`. Answered by Told or NotTold; of a long list, spool may tell of the first part.
struct Tell {
  QueueId id;
  bool delayed = false;
  std::vector<std::uint32_t> recipients;
  WallTime until;
  static constexpr auto fields() {
    return std::tuple(&Tell::id, &Tell::delayed, &Tell::recipients, &Tell::until);
  }
};

/// How hard the queue is pressed: spool hands it on to intakes. Sent where it changes, and first of all.
struct Pressure {
  queue::PressureLevel level = queue::PressureLevel::none;
  std::string cause;  ///< at most 512 octets
  static constexpr auto fields() { return std::tuple(&Pressure::level, &Pressure::cause); }
};

/// Asks for the addresses of messages that qmgr knows: it keeps none of what only waits. At most kMaxBatch in
/// one frame and kMaxAddressesAsked without an answer; each is answered once, in some frame.
struct GetAddresses {
  std::vector<QueueId> ids;
  static constexpr auto fields() { return std::tuple(&GetAddresses::ids); }
};
inline constexpr std::size_t kMaxAddressesAsked = 100'000;

using ToSpool = std::variant<Pull, Orders, Decided, Tell, Pressure, GetAddresses>;

/// The most recipients of one Tell.
inline constexpr std::size_t kMaxTold = 1000;

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
  std::vector<std::uint32_t> owing;  ///< recipients that failed, and the sender was not told of it
  bool warned = false;               ///< the sender was told that the message is late
  static constexpr auto fields() {
    return std::tuple(&PulledMessage::id, &PulledMessage::arrival, &PulledMessage::bytes,
                      &PulledMessage::held, &PulledMessage::reverse_path, &PulledMessage::recipients,
                      &PulledMessage::owing, &PulledMessage::warned);
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

/// The sender was told, or is not to be told for good: these owe nothing any more, durably; `warned`: nor is
/// anyone late whom he does not know of.
struct Told {
  QueueId id;
  std::vector<std::uint32_t> recipients;
  bool warned = false;
  static constexpr auto fields() { return std::tuple(&Told::id, &Told::recipients, &Told::warned); }
};

/// The sender could not be told now. Asked again later.
struct NotTold {
  QueueId id;
  static constexpr auto fields() { return std::tuple(&NotTold::id); }
};

/// What spool holds: first of all, and then about once a second while it changes.
struct Load {
  std::uint64_t messages = 0;
  std::uint64_t memory_bytes = 0;  ///< of its index, about
  std::uint64_t disk_bytes = 0;    ///< of records that are needed still
  std::uint64_t max_disk_bytes = 0;
  static constexpr auto fields() {
    return std::tuple(&Load::messages, &Load::memory_bytes, &Load::disk_bytes, &Load::max_disk_bytes);
  }
};

struct Addressed {
  std::uint32_t index = 0;
  mail::Mailbox address;
  static constexpr auto fields() { return std::tuple(&Addressed::index, &Addressed::address); }
};

/// The open recipients of a message: none where it is finished, or cannot be read.
struct AddressedMessage {
  QueueId id;
  std::vector<Addressed> recipients;
  static constexpr auto fields() { return std::tuple(&AddressedMessage::id, &AddressedMessage::recipients); }
};

struct Addresses {
  std::vector<AddressedMessage> messages;
  static constexpr auto fields() { return std::tuple(&Addresses::messages); }
};

using FromSpool = std::variant<Pulled, Recorded, NotHanded, HoldChanged, Told, NotTold, Load, Addresses>;

}  // namespace sternpost::spool_qmgr

namespace sternpost {
template <>
inline constexpr unsigned kEnumBound<spool_qmgr::Agent> = 2;
}

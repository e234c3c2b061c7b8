// What the scheduler is told and what it answers: values of its own, which the shell converts from frames.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/queue_id.h"
#include "base/rule.h"
#include "base/time.h"
#include "mail/address.h"
#include "mail/outcome.h"
#include "mail/status.h"
#include "queue/pressure.h"

namespace sternpost::queue {

/// Which kind of agent does a job.
enum class Agent : unsigned char { virtual_mailbox, smtp };
inline constexpr std::size_t kAgents = 2;

/// Limits and times, from the configuration.
struct Settings {
  std::uint32_t max_active_messages = 1;  ///< see Scheduler on what counts
  /// The most jobs in hand at one site, by agent.
  std::array<std::uint32_t, kAgents> site_concurrency{1, 1};
  Seconds retry_min{1};
  Seconds retry_max{1};
  Seconds expire{1};  ///< a deferral of a message this old is a failure
  Rule expire_rule;
  Seconds warn{0};  ///< the sender of a message this old is told that it is late; 0: never
  PressureLimits pressure;
};

/// A recipient that is not finished. `in_hand`: an agent works on it, and its outcome will be recorded.
struct OpenRecipient {
  std::uint32_t index = 0;
  mail::Mailbox address;
  std::uint32_t attempts = 0;
  WallTime last_attempt;  ///< without meaning where attempts is 0
  bool in_hand = false;
};

struct Message {
  QueueId id;
  WallTime arrival;
  bool held = false;
  std::vector<OpenRecipient> recipients;
  std::vector<std::uint32_t> owing = {};  ///< recipients that failed, and the sender was not told of it
  bool warned = false;                    ///< the sender was told that the message is late
};

struct AddressedRecipient {
  std::uint32_t index = 0;
  mail::Mailbox address;
};

/// Where do these recipients go?
struct RouteQuestion {
  QueueId id;
  std::vector<AddressedRecipient> recipients;
  std::uint32_t generation = 0;  ///< comes back with the answer
};

/// `reply` 250: to `agent` at `site`. 4xx: no route for now. 5xx: none for good.
struct RouteAnswer {
  std::uint32_t index = 0;
  mail::Reply reply;
  Agent agent = Agent::virtual_mailbox;
  std::string site;
  Rule rule;
};

/// A job for an agent: these recipients of this message.
struct Order {
  QueueId id;
  Agent agent = Agent::virtual_mailbox;
  std::vector<std::uint32_t> recipients;
  std::string site;
};

/// Have the sender told that these recipients failed, or are late and will be tried until `until`.
struct Tell {
  QueueId id;
  bool delayed = false;
  std::vector<std::uint32_t> recipients;
  WallTime until;
};

/// Outcomes that need no agent.
struct Decided {
  QueueId id;
  std::vector<mail::RecipientOutcome> recipients;
};

/// Give up to `max` messages behind the position `after`.
struct Pull {
  std::uint64_t after = 0;
  std::uint32_t max = 0;
};

/// For the records: a recipient got its route (or, by `answer.reply`, none).
struct RoutedNotice {
  QueueId id;
  mail::Mailbox recipient;
  RouteAnswer answer;
};

/// For the records: these recipients are tried again at `next`.
struct DeferredNotice {
  QueueId id;
  std::vector<std::uint32_t> recipients;
  mail::Reply reply;
  WallTime next;
};

/// For the records: a site is not attempted before `next`, because of `reply`.
struct SiteDownNotice {
  std::string site;
  mail::Reply reply;
  WallTime next;
};

/// For the records: a site that was down takes mail again.
struct SiteUpNotice {
  std::string site;
};

/// For the records: these recipients failed by a decision made here, durably.
struct FailedNotice {
  QueueId id;
  std::vector<std::uint32_t> recipients;
  mail::Reply reply;
  Rule rule;
};

using Notice = std::variant<RoutedNotice, DeferredNotice, FailedNotice, SiteDownNotice, SiteUpNotice>;

/// What to do now, and when to ask again at the latest.
struct Actions {
  std::optional<Pull> pull;
  std::vector<RouteQuestion> questions;
  std::vector<QueueId> lookups;  ///< ask spool for the addresses of their open recipients
  std::vector<Order> orders;
  std::vector<Decided> decisions;
  std::vector<Tell> tells;
  std::vector<Notice> notices;
  std::optional<Pressure> pressure;  ///< where it has changed
  std::optional<WallTime> wake;
};

/// What the spool holds.
struct SpoolLoad {
  std::uint64_t messages = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t disk_bytes = 0;
  std::uint64_t max_disk_bytes = 0;
};

/// Messages by what they wait for; one that waits for several counts once, for the first of active, ready,
/// routing. A held message whose recipients are still with agents counts as active.
struct Counts {
  std::uint64_t routing = 0;
  std::uint64_t ready = 0;
  std::uint64_t active = 0;
  std::uint64_t deferred = 0;
  std::uint64_t held = 0;
  std::uint64_t owing = 0;  ///< nobody is left to try, and the sender is not told yet
  bool operator==(const Counts&) const = default;
};

}  // namespace sternpost::queue

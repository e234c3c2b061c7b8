// Channel between admin and qmgr: how the queue manager is doing, and what it should do now.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "base/codec.h"
#include "base/queue_id.h"
#include "base/time.h"

namespace sternpost::qmgr {

inline constexpr std::size_t kMaxFrame = 256 * 1024;

struct QueryCounts {
  std::uint64_t request = 0;
  static constexpr auto fields() { return std::tuple(&QueryCounts::request); }
};

/// Makes due at once what waits for its time: of the message `id`; or where that is zero, of each site that
/// has a host called `site`, or is called so itself; or where that is empty, of all.
struct Flush {
  std::uint64_t request = 0;
  QueueId id;
  std::string site;  ///< at most kLongestSite octets
  static constexpr auto fields() { return std::tuple(&Flush::request, &Flush::id, &Flush::site); }
};

inline constexpr std::size_t kLongestSite = 16UL * 1024;
/// The most ids of one AskNext.
inline constexpr std::size_t kMostAsked = 256;

/// When are these messages tried next?
struct AskNext {
  std::uint64_t request = 0;
  std::vector<QueueId> ids;
  static constexpr auto fields() { return std::tuple(&AskNext::request, &AskNext::ids); }
};

using ToQmgr = std::variant<QueryCounts, Flush, AskNext>;

/// Messages that qmgr holds in memory, by what they wait for.
struct Counts {
  std::uint64_t request = 0;
  std::uint64_t routing = 0;   ///< asked of router
  std::uint64_t ready = 0;     ///< routed, waiting for a free place at their site
  std::uint64_t active = 0;    ///< with agents
  std::uint64_t deferred = 0;  ///< waiting for their time
  std::uint64_t held = 0;
  std::uint64_t owing = 0;  ///< nobody is left to try, and the sender is not told yet
  static constexpr auto fields() {
    return std::tuple(&Counts::request, &Counts::routing, &Counts::ready, &Counts::active, &Counts::deferred,
                      &Counts::held, &Counts::owing);
  }
};

/// Answer to Flush.
struct Flushed {
  std::uint64_t request = 0;
  bool known = false;            ///< there is such a message or site
  std::uint64_t recipients = 0;  ///< that were waiting
  static constexpr auto fields() {
    return std::tuple(&Flushed::request, &Flushed::known, &Flushed::recipients);
  }
};

/// Nothing for what is held, with an agent, or not known.
struct Next {
  QueueId id;
  std::optional<WallTime> at;
  std::string because;  ///< see queue::Scheduler::waits_because()
  static constexpr auto fields() { return std::tuple(&Next::id, &Next::at, &Next::because); }
};

/// Answer to AskNext, in its order.
struct NextAttempts {
  std::uint64_t request = 0;
  std::vector<Next> messages;
  static constexpr auto fields() { return std::tuple(&NextAttempts::request, &NextAttempts::messages); }
};

using FromQmgr = std::variant<Counts, Flushed, NextAttempts>;

}  // namespace sternpost::qmgr

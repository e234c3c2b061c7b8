// The sites that recipients are routed to: what waits at each, how much each may have in hand, whose turn it
// is.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/queue_id.h"
#include "base/time.h"
#include "queue/concurrency.h"
#include "queue/events.h"

namespace sternpost::queue {

using SiteId = std::uint32_t;
inline constexpr SiteId kNoSite = UINT32_MAX;

/// Recipients of one message that are ready at one site.
struct ReadyRecipients {
  QueueId id;
  std::vector<std::uint32_t> indexes;
};

/// All sites. Turns go round among sites, and at a site round among messages; a site that is at its limit,
/// blocked or without work costs nothing. A site lives as long as a recipient refers to it, and for a while
/// longer, so that what was learned of it stays known.
class Sites {
 public:
  /// Sites without recipients that are still remembered.
  static constexpr std::size_t kMaxIdle = 1024;
  /// After an order that no agent took, a site is blocked for kFirstBlock, then twice as long, up to
  /// kLongestBlock.
  static constexpr Microseconds kFirstBlock = Milliseconds(50);
  static constexpr Microseconds kLongestBlock = Seconds(5);

  explicit Sites(std::uint32_t cap) : cap_(cap) {}

  void set_cap(std::uint32_t cap);
  /// All are forgotten.
  void clear();

  /// The site of this name, with one reference more.
  SiteId refer(Agent agent, std::string_view name);
  /// One reference less.
  void release(SiteId site);
  [[nodiscard]] Agent agent(SiteId site) const { return sites_[site].agent; }
  /// Known sites, idle ones included.
  [[nodiscard]] std::size_t size() const { return by_name_.size(); }
  [[nodiscard]] std::uint32_t limit(SiteId site) const { return sites_[site].limit.value(); }

  /// At the end of the site's rotation; joins the last turn there if that is of the same message.
  void add_ready(SiteId site, QueueId id, std::uint32_t index);
  void add_ready(SiteId site, ReadyRecipients ready);

  struct Turn {
    SiteId site = kNoSite;
    ReadyRecipients ready;
  };
  /// The next turn of any site that may have another job; the caller follows it with started() or skipped().
  std::optional<Turn> next_turn(WallTime now);
  /// An order came of the turn. Answers the round to give back at its end.
  std::uint32_t started(SiteId site);
  /// No order came of it: nothing there was ready any more.
  void skipped(SiteId site) { schedule(site); }

  enum class JobEnd : unsigned char { done, trouble, not_handed };
  void ended(SiteId site, std::uint32_t round, JobEnd how, WallTime now);

  /// When the first blocked site is free again.
  [[nodiscard]] std::optional<WallTime> wake() const;
  /// True when a turn is to be had at once.
  [[nodiscard]] bool has_turn() const { return !runnable_.empty(); }

 private:
  struct Site {
    Agent agent = Agent::virtual_mailbox;
    std::string key;
    ConcurrencyLimit limit{1};
    std::uint32_t jobs = 0;
    std::uint64_t references = 0;
    std::deque<ReadyRecipients> rotation;
    bool listed = false;   ///< in runnable_
    bool idle = false;     ///< in idle_
    bool blocked = false;  ///< in blocked_
    WallTime blocked_until;
    Microseconds next_block = kFirstBlock;
  };

  void schedule(SiteId site);
  void unblock_due(WallTime now);
  void retire_idle();

  std::uint32_t cap_;
  std::vector<Site> sites_;
  std::vector<SiteId> free_;
  std::unordered_map<std::string, SiteId> by_name_;
  std::deque<SiteId> runnable_;
  std::deque<SiteId> idle_;
  std::set<std::pair<WallTime, SiteId>> blocked_;
};

}  // namespace sternpost::queue

// The sites that recipients are routed to: what waits at each, how much each may have in hand, whose turn it
// is.
#pragma once

#include <array>
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

/// Recipients of one message that may be ready at one site: those from `first` to `last` that are. Two
/// numbers and no list, for there can be very many of these at a site that is down.
struct ReadyRecipients {
  QueueId id;
  std::uint32_t first = 0;
  std::uint32_t last = 0;
};

/// All sites. Turns go round among sites, and at a site round among messages; a site that is at its limit,
/// blocked or without work costs nothing. A site lives as long as a recipient refers to it, and for a while
/// longer, so that what was learned of it stays known.
///
/// A site that cannot be reached is down: blocked, and then given one job to find out. The first job that
/// reaches it opens it for all that waits there.
class Sites {
 public:
  /// Sites without recipients that are still remembered.
  static constexpr std::size_t kMaxIdle = 1024;
  /// After an order that no agent took, a site is blocked for kFirstBlock, then twice as long, up to
  /// kLongestBlock.
  static constexpr Microseconds kFirstBlock = Milliseconds(50);
  static constexpr Microseconds kLongestBlock = Seconds(5);

  using Caps = std::array<std::uint32_t, kAgents>;
  /// The limit of a site of which nothing is known yet, by agent: a disk of ours is not a stranger's server.
  static constexpr Caps kInitial = {20, 5};
  /// A site that was reached before is down when so many jobs in a row did not reach it.
  static constexpr unsigned kFailuresOfAProvenSite = 3;

  explicit Sites(const Caps& caps) : caps_(caps) {}

  void set_caps(const Caps& caps);
  /// All are forgotten.
  void clear();

  /// The site of this name, with one reference more.
  SiteId refer(Agent agent, std::string_view name);
  /// One reference less.
  void release(SiteId site);
  [[nodiscard]] Agent agent(SiteId site) const { return sites_[site].agent; }
  /// Known sites, idle ones included.
  [[nodiscard]] std::size_t size() const { return by_name_.size(); }
  [[nodiscard]] std::uint32_t limit(SiteId site) const {
    return sites_[site].down ? 1 : sites_[site].limit.value();
  }
  [[nodiscard]] std::string_view name(SiteId site) const {
    return std::string_view(sites_[site].key).substr(1);
  }
  [[nodiscard]] bool is_down(SiteId site) const { return sites_[site].down; }
  /// Of a blocked site, when it is free again.
  [[nodiscard]] WallTime blocked_until(SiteId site) const { return sites_[site].blocked_until; }
  /// Of a site that is down: since when, and what the last job met with.
  [[nodiscard]] WallTime down_since(SiteId site) const { return sites_[site].down_since; }
  [[nodiscard]] const mail::Reply& reason(SiteId site) const { return sites_[site].reason; }
  /// What waits at the site.
  [[nodiscard]] const std::deque<ReadyRecipients>& rotation(SiteId site) const {
    return sites_[site].rotation;
  }
  /// All sites that somebody refers to.
  [[nodiscard]] std::vector<SiteId> used() const;

  /// The same, which then waits there no more.
  [[nodiscard]] std::deque<ReadyRecipients> take_rotation(SiteId site) {
    return std::exchange(sites_[site].rotation, {});
  }

  /// At the end of the site's rotation; joins the last turn there if that is of the same message.
  void add_ready(SiteId site, QueueId id, std::uint32_t index);
  void add_ready(SiteId site, const ReadyRecipients& ready);

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

  enum class JobEnd : unsigned char {
    done,
    trouble,      ///< reached, with complaints of the site as a whole
    unreachable,  ///< nothing was reached
    not_handed,
  };
  /// What is to be told of a job's end.
  enum class Turned : unsigned char { no, up, down };
  /// Answers `down` where the site is not to be attempted for a while, which take_down() then says, and `up`
  /// where it was down until now.
  Turned ended(SiteId site, std::uint32_t round, JobEnd how, WallTime now);
  void take_down(SiteId site, const mail::Reply& reason, WallTime now, WallTime until);
  /// What waits there of this message has its turn next.
  void bring_forward(SiteId site, QueueId id);
  /// A blocked site is free at once.
  void unblock(SiteId site);

  /// What is blocked stays so for as long as it would have been.
  void clock_stepped(Microseconds step);
  /// When the first blocked site is free again.
  [[nodiscard]] std::optional<WallTime> wake() const;
  /// True when a turn is to be had at once.
  [[nodiscard]] bool has_turn() const { return !runnable_.empty(); }

 private:
  struct Site {
    Agent agent = Agent::virtual_mailbox;
    std::string key;
    ConcurrencyLimit limit{1, 1};
    std::uint32_t jobs = 0;
    std::uint64_t references = 0;
    std::deque<ReadyRecipients> rotation;
    bool listed = false;   ///< in runnable_
    bool idle = false;     ///< in idle_
    bool blocked = false;  ///< in blocked_
    bool down = false;
    bool proven = false;    ///< a job reached it, and since then it was not down
    unsigned failures = 0;  ///< jobs in a row that did not reach it
    WallTime blocked_until;
    WallTime down_since;
    mail::Reply reason;
    Microseconds next_block = kFirstBlock;
  };

  void schedule(SiteId site);
  void block(SiteId site, WallTime until);
  void unblock_due(WallTime now);
  void retire_idle();

  Caps caps_;
  std::vector<Site> sites_;
  std::vector<SiteId> free_;
  std::unordered_map<std::string, SiteId> by_name_;
  std::deque<SiteId> runnable_;
  std::deque<SiteId> idle_;
  std::set<std::pair<WallTime, SiteId>> blocked_;
};

}  // namespace sternpost::queue

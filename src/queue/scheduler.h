// What is delivered when: pure logic on virtual time (docs/architecture.md section 5).
//
// The scheduler is told events and asked for actions; it reads no clock and owns no channel. It holds nothing
// that the spool does not hold: when the spool's channel is lost it forgets all and pulls again from the
// first position.
//
// What it keeps to, and its simulation checks:
// - a recipient is ordered only when its route is known, its time has come, its message is not held and its
//   last outcome is durable; while it is in hand it is not ordered again;
// - router is asked again before each further attempt: where mail goes may have changed since the last one;
// - the recipients of a message that become ready at one site at one time share jobs of up to
//   kMaxJobRecipients;
// - a site has at most its limit of jobs in hand, and turns go round among sites and messages;
// - what waits at a site that is down waits there, tried by nobody, until one job finds it up again;
// - nothing that was pulled is forgotten before its outcome is final, and where it failed, before the sender
//   was told.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "queue/entry.h"
#include "queue/events.h"
#include "queue/folded_entry.h"
#include "queue/sites.h"
#include "queue/timers.h"

namespace sternpost::queue {

/// Bounds: messages that are routed, ready or active count against max_active_messages, and their recipients
/// against kRecipientsFactor for each message allowed. At a bound the scheduler stops pulling; one pull may
/// overshoot by what one frame carries. Messages that only wait for their time or are held do not count, so
/// that however many there are, new mail is pulled. They are folded, without the addresses, which spool is
/// asked for before router is asked again; their memory, about 100 octets for each and 10 for each further
/// recipient, is bounded by the spool, which holds more of them in memory itself.
class Scheduler {
 public:
  static constexpr std::uint32_t kMaxJobRecipients = 100;
  static constexpr std::uint32_t kMaxPull = 512;
  static constexpr std::uint32_t kMaxOrders = 512;
  /// Messages for which router or, for the addresses, spool is asked at one time.
  static constexpr std::int64_t kMaxAsked = 10'000;
  static constexpr std::uint64_t kRecipientsFactor = 160;
  /// Senders who are being told something at one time, and recipients that one notice tells of.
  static constexpr std::size_t kMaxTelling = 100;
  static constexpr std::size_t kMaxTold = 1000;
  /// Before a sender who could not be told is to be told again.
  static constexpr Seconds kTellAgain{10};
  /// Before spool is asked again for an address that it did not say.
  static constexpr Seconds kLookAgain{10};

  /// Of folded messages to buckets: 4 to 8 octets each are spent for these, for a little more time.
  static constexpr float kFoldedLoad = 2;

  explicit Scheduler(const Settings& settings)
      : settings_(settings), sites_(settings.site_concurrency), gauge_(settings.pressure) {
    folded_.max_load_factor(kFoldedLoad);
  }

  /// New limits and times; what is planned already stays planned.
  void set(const Settings& settings);

  void spool_connected();
  void spool_lost();
  /// Questions without an answer are asked again.
  void router_connected();
  void router_lost();

  /// Fails, as a breach of protocol, where no pull is outstanding.
  Result<void> pulled(std::vector<Message>&& messages, std::uint64_t position, WallTime now);
  /// Answers for what is not being asked are ignored, and so are those to questions of an earlier
  /// `generation`: the same may have been asked anew, and sent elsewhere, since.
  void routed(QueueId id, std::uint32_t generation, std::vector<RouteAnswer>&& answers, WallTime now);
  /// The answer to a look-up. Recipients that it leaves out are looked up again later, if they are still
  /// here.
  void addressed(QueueId id, std::vector<AddressedRecipient>&& addresses, WallTime now);
  /// Durable outcomes, whoever brought them. Unknown messages and recipients are ignored.
  void recorded(QueueId id, std::span<const mail::RecipientOutcome> outcomes, WallTime now);
  /// An order that no agent took: ready again, but the site is blocked for a moment.
  void not_handed(QueueId id, std::span<const std::uint32_t> recipients, WallTime now);
  void hold_changed(QueueId id, bool held, WallTime now);
  /// What the spool holds now; from time to time.
  void loaded(const SpoolLoad& load);
  /// The pressure to be told to a spool that is new.
  [[nodiscard]] const Pressure& pressure() const { return gauge_.current(); }
  /// The sender knows, or need not: durably.
  void told(QueueId id, std::span<const std::uint32_t> recipients, bool warned);
  void not_told(QueueId id, WallTime now);

  /// What waits for its time is due at once: of one message; or of each site that has a host of this name, or
  /// is called so. Answers how many recipients that were; nothing where there is no such message or site.
  std::optional<std::size_t> flush(QueueId id, WallTime now);
  std::optional<std::size_t> flush_site(std::string_view name, WallTime now);
  std::size_t flush_all(WallTime now);
  /// When something of this message is tried next; nothing for what is held, unknown, or with an agent now.
  [[nodiscard]] std::optional<WallTime> next_attempt(QueueId id) const;
  /// Where recipients wait at a site that is down: which, and what was met with there. At most kMaxBecause.
  static constexpr std::size_t kMaxBecause = 512;
  [[nodiscard]] std::string waits_because(QueueId id) const;

  /// The clock that says what `now` is was set, by this much, to `now`. What waits for a time waits for as
  /// long as it would have; only the age of messages is another one. As slow as flush_all().
  void clock_stepped(Microseconds step, WallTime now);

  /// What is to be done at `now`. Called after every event, and when the wake time has come.
  Actions take(WallTime now);

  [[nodiscard]] Counts counts() const;

 private:
  using Entries = std::unordered_map<QueueId, Entry>;

  struct Job {
    SiteId site = kNoSite;
    std::uint32_t round = 0;
    std::uint32_t outstanding = 0;  ///< recipients without an outcome
    bool reached = false;           ///< an outcome shows that the site was there
    Sites::JobEnd end = Sites::JobEnd::done;
    mail::Reply reply;  ///< of a recipient whose site was not
  };

  void forget_all();
  void admit(Message&& message, WallTime now);
  void place(Entry& entry, QueueId id, Recipient& recipient, const OpenRecipient& open, WallTime now);
  void start(Entry& entry, QueueId id, Recipient& recipient);
  void start_due(Entry& entry, QueueId id, WallTime now);
  void decide(Entry& entry, QueueId id, Recipient& recipient, mail::Disposition disposition,
              mail::Reply reply, const Rule& rule, WallTime now);
  void ask_again(SiteId site);
  void count_asked(Entry& entry);
  void expire(Entry& entry, QueueId id, Recipient& recipient, const mail::Reply& last, WallTime now);
  void defer(Entry& entry, QueueId id, Recipient& recipient, const mail::RecipientOutcome& outcome,
             WallTime now);
  void finish(Entry& entry, std::uint32_t index);
  void leave_jobs(Entry& entry, std::span<const mail::RecipientOutcome> outcomes, WallTime now);
  void leave_job(Recipient& recipient, Sites::JobEnd how, const mail::Reply& reply, WallTime now);
  void end_job(Job& job, WallTime now);
  void take_down(SiteId site, const mail::Reply& reason, WallTime now);
  std::size_t hurry(Entries::iterator at, const std::vector<SiteId>* only, WallTime now);
  std::size_t hurry_all(const std::vector<SiteId>* only, WallTime now);
  [[nodiscard]] std::vector<QueueId> with_recipients_at(const std::vector<SiteId>* sites) const;
  void note_deferred(QueueId id, std::uint32_t index, const mail::Reply& reply, WallTime next);
  void note_failed(QueueId id, const mail::RecipientOutcome& outcome, Rule rule);
  /// The entry of a message, unfolded. Whoever opens one also settles it, and nothing between may settle the
  /// same one: it is folded then.
  Entries::iterator open(QueueId id);
  /// Brings category, counts and timer up to date after a change; folds what only waits from now on, removes
  /// what is done.
  void settle(Entries::iterator at);
  void settle_timer(Entry& entry, QueueId id, std::optional<WallTime> due);
  /// The entry of a message, to be read: it may be `unfolded`. Null where there is none.
  [[nodiscard]] const Entry* look(QueueId id, Entry& unfolded) const;
  [[nodiscard]] std::uint64_t known() const { return entries_.size() + folded_.size(); }
  [[nodiscard]] std::optional<WallTime> timer_of(QueueId id) const;
  /// The next one that counts.
  std::optional<Timers::Timer> next_timer();

  void fire_timers(WallTime now);
  void ask(Actions& actions);
  void order(Actions& actions, WallTime now);
  Order make_order(Entries::iterator at, const Sites::Turn& turn);
  void tell(Actions& actions);
  void gauge(Actions& actions, WallTime now);
  [[nodiscard]] Load load(WallTime now) const;
  [[nodiscard]] std::uint64_t memory_bytes() const;
  void pull(Actions& actions);
  [[nodiscard]] std::uint64_t room() const;
  std::uint32_t new_job(SiteId site, std::uint32_t round, std::uint32_t recipients);

  Settings settings_;
  bool spool_up_ = false;
  bool router_up_ = false;
  bool pull_outstanding_ = false;
  std::uint64_t cursor_ = 0;
  std::array<std::uint64_t, kCategories> recipients_in_{};
  Entries entries_;  ///< what is worked on
  std::unordered_map<QueueId, FoldedEntry> folded_;
  std::array<std::uint64_t, kCategories> in_category_{};
  Sites sites_;
  std::vector<Job> jobs_;
  std::vector<std::uint32_t> free_jobs_;
  Timers timers_;
  std::deque<QueueId> to_ask_;
  std::uint32_t generation_ = 0;  ///< rises whenever all is forgotten
  std::int64_t asked_ = 0;        ///< messages for which router or spool owes an answer
  std::deque<QueueId> to_tell_;
  std::set<QueueId> telling_;  ///< spool has not answered yet
  std::vector<Decided> decisions_;
  std::map<std::pair<QueueId, std::uint32_t>, Rule> failing_by_;  ///< of failures that are not durable yet
  std::vector<Notice> notices_;
  PressureGauge gauge_;
  SpoolLoad spool_load_;
  /// What the spool held when it came and was not pulled yet: most of it may have been attempted long ago.
  std::optional<std::uint64_t> first_pass_;
  WallTime newest_arrival_;  ///< of what was pulled
};

}  // namespace sternpost::queue

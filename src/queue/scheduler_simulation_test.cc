// Random runs of Scheduler against a model of spool, router and agents, on virtual time. Every seed is one
// run: frames arrive late and in order, agents fail, channels break, messages are held, and days pass.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <utility>

#include "queue/scheduler.h"

namespace sternpost::queue {
namespace {

using mail::Disposition;

constexpr std::uint64_t kSeeds = 300;

class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed), scheduler_(make_settings()) {
    const auto messages = 1 + pick(25);
    for (std::uint64_t i = 1; i <= messages; ++i) add_message(i);
    scheduler_.spool_connected();
    scheduler_.router_connected();
  }

  /// False where something was violated; `why` says what.
  bool run() {
    for (int steps = 0; steps < 200'000 && why.empty(); ++steps) {
      if (finished()) return true;
      disturb();
      act();
      deliver_next();
    }
    if (why.empty()) why = "it does not end";
    return false;
  }

  std::string why;

 private:
  /// Where the scheduler, as far as it was told, may think that a recipient is.
  enum class Place : unsigned char {
    open,
    in_hand,
    untold,  ///< spool knows more, durably, and the frame that says so is on its way
    finished,
  };
  struct Recipient {
    Place place = Place::open;
    bool finished = false;  ///< durably
    bool owed = false;      ///< it failed, and the sender was not told
    std::uint32_t attempts = 0;
    WallTime last_attempt, first_possible;
    std::string site;       ///< as router knows
    std::string told_site;  ///< as the scheduler was told
    std::uint32_t defers_left = 0;
  };
  struct Model {
    WallTime arrival;
    bool held = false;       ///< as spool knows
    bool told_held = false;  ///< as the scheduler was told
    bool warned = false;
    bool telling = false;
    std::vector<Recipient> recipients;
  };
  enum class From : unsigned char { spool, router, agent };
  struct Event {
    From from;
    std::uint64_t life;  ///< of the channel: what a broken one carried is lost
    std::function<void()> happen;
  };

  Settings make_settings() {
    Settings s;
    s.max_active_messages = static_cast<std::uint32_t>(1 + pick(10));
    const auto concurrency = static_cast<std::uint32_t>(1 + pick(5));
    s.site_concurrency = {concurrency, concurrency};
    if (chance(2)) s.warn = Seconds(1800 + pick(86400));
    s.retry_min = Seconds(1 + pick(60));
    s.retry_max = Seconds(60 + pick(7200));
    s.expire = Seconds(3600 + pick(5 * 86400));
    settings_ = s;
    return s;
  }

  std::uint64_t pick(std::uint64_t below) { return random_() % below; }
  bool chance(std::uint64_t one_in) { return pick(one_in) == 0; }
  void violated(std::string what) {
    if (why.empty()) why = std::move(what);
  }

  void add_message(std::uint64_t id) {
    Model model;
    model.arrival = now_ - Microseconds(Seconds(pick(3600)));
    model.held = model.told_held = chance(10);
    const auto recipients = chance(30) ? 90 + pick(150) : 1 + pick(3);
    for (std::uint64_t i = 0; i < recipients; ++i) {
      Recipient recipient;
      recipient.site = "site" + std::to_string(pick(3));
      recipient.defers_left = chance(4) ? static_cast<std::uint32_t>(pick(chance(4) ? 60 : 4)) : 0;
      model.recipients.push_back(recipient);
    }
    messages_.emplace(id, std::move(model));
  }

  bool finished() {
    return std::all_of(messages_.begin(), messages_.end(), [](const auto& entry) {
      return std::all_of(entry.second.recipients.begin(), entry.second.recipients.end(),
                         [](const Recipient& r) { return r.finished && !r.owed; });
    });
  }

  // --- what goes wrong

  void disturb() {
    if (chance(400)) break_spool();
    if (chance(300)) break_router();
    if (chance(50)) toggle_hold();
    if (chance(2000)) release_all();
    if (chance(200)) flush_some();
    if (looked_up_.empty() && chance(100)) say_nonsense();
  }

  void flush_some() {
    const auto id = 1 + pick(messages_.size());
    const auto site = "site" + std::to_string(pick(3));
    const auto which = pick(3);
    for (auto& [number, model] : messages_) {
      for (auto& recipient : model.recipients) {
        if (which == 0 || (which == 1 && number == id) || (which == 2 && recipient.told_site == site)) {
          recipient.first_possible = {};
        }
      }
    }
    if (which == 0) scheduler_.flush_all(now_);
    if (which == 1) (void)scheduler_.flush(QueueId{id}, now_);
    if (which == 2) (void)scheduler_.flush_site(site, now_);
  }

  void break_spool() {
    ++spool_life_;
    pull_outstanding_ = false;
    scheduler_.spool_lost();
    if (!scheduler_.take(now_).orders.empty()) violated("orders without a spool");
    // A new spool knows what is durable; agents still hold what they hold.
    for (auto& [id, model] : messages_) {
      model.told_held = model.held;
      model.telling = false;
      for (auto& recipient : model.recipients) {
        if (recipient.place == Place::untold)
          recipient.place = recipient.finished ? Place::finished : Place::open;
      }
    }
    site_jobs_.clear();
    looked_up_.clear();
    scheduler_.spool_connected();
  }

  void break_router() {
    ++router_life_;
    scheduler_.router_lost();
    if (act() > 0) violated("questions without a router");
    scheduler_.router_connected();
  }

  void toggle_hold() {
    auto at = messages_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(pick(messages_.size())));
    set_hold(at->first, !at->second.held && chance(2));
  }

  void release_all() {
    for (auto& [id, model] : messages_) set_hold(id, false);
  }

  void set_hold(std::uint64_t id, bool held) {
    auto& model = messages_.at(id);
    if (model.held == held) return;
    model.held = held;
    from_spool([this, id, held] {
      messages_.at(id).told_held = held;
      scheduler_.hold_changed(QueueId{id}, held, now_);
    });
  }

  // --- channels: in order, each frame at some time after the one before

  void from_spool(std::function<void()> happen) {
    last_from_spool_ = std::max(last_from_spool_, now_) + Microseconds(pick(50'000));
    events_.emplace(last_from_spool_, Event{From::spool, spool_life_, std::move(happen)});
  }
  void from_router(std::function<void()> happen) {
    last_from_router_ = std::max(last_from_router_, now_) + Microseconds(pick(50'000));
    events_.emplace(last_from_router_, Event{From::router, router_life_, std::move(happen)});
  }
  [[nodiscard]] bool is_lost(const Event& event) const {
    return (event.from == From::spool && event.life != spool_life_) ||
           (event.from == From::router && event.life != router_life_);
  }

  void deliver_next() {
    if (events_.empty() && !wake_) {
      release_all();
      if (events_.empty()) violated("nothing is left to happen");
      return;
    }
    const auto next = events_.begin();
    if (wake_ && (next == events_.end() || *wake_ <= next->first)) {
      now_ = std::max(now_, *wake_);
      return;
    }
    auto event = std::move(next->second);
    now_ = std::max(now_, next->first);
    events_.erase(next);
    if (!is_lost(event)) event.happen();
  }

  // --- what the scheduler asks for

  /// Answers the number of questions.
  std::size_t act() {
    auto actions = scheduler_.take(now_);
    wake_ = actions.wake;
    if (actions.pull) answer_pull(*actions.pull);
    for (auto& question : actions.questions) answer_question(question);
    for (const auto id : actions.lookups) look_up(id);
    for (const auto& order : actions.orders) carry_out(order);
    for (const auto& decided : actions.decisions) record_decided(decided);
    for (const auto& tell : actions.tells) carry_out(tell);
    return actions.questions.size();
  }

  void answer_pull(const Pull& pull) {
    if (pull_outstanding_) violated("two pulls");
    if (pull.max == 0 || pull.max > Scheduler::kMaxPull) violated("a pull without bound");
    pull_outstanding_ = true;
    std::vector<Message> pulled;
    std::uint64_t position = pull.after;
    for (auto at = messages_.upper_bound(pull.after); at != messages_.end() && pulled.size() < pull.max;
         ++at) {
      position = at->first;
      Message message{QueueId{at->first}, at->second.arrival, at->second.held, {}};
      message.warned = at->second.warned;
      for (std::uint32_t i = 0; i < at->second.recipients.size(); ++i) {
        const auto& r = at->second.recipients[i];
        if (r.owed) message.owing.push_back(i);
        if (r.finished) continue;
        message.recipients.push_back({i, address(i), r.attempts, r.last_attempt, r.place == Place::in_hand});
      }
      if (!message.recipients.empty() || !message.owing.empty()) pulled.push_back(std::move(message));
    }
    if (pulled.empty()) return;  // answered when there is something, which here is never
    from_spool([this, messages = std::move(pulled), position]() mutable {
      pull_outstanding_ = false;
      if (!scheduler_.pulled(std::move(messages), position, now_)) violated("a pull was refused");
    });
  }

  static mail::Mailbox address(std::uint32_t index) {
    return *mail::Mailbox::from_wire("r" + std::to_string(index) + "@example.org");
  }

  void answer_question(const RouteQuestion& question) {
    std::vector<RouteAnswer> answers;
    for (const auto& recipient : question.recipients) {
      if (recipient.address != address(recipient.index)) violated("the wrong address");
      auto& model = messages_.at(question.id.value).recipients.at(recipient.index);
      if (chance(8)) model.site = "site" + std::to_string(pick(3));
      RouteAnswer answer{recipient.index, {250, {2, 1, 5}, "ok"}, Agent::virtual_mailbox, model.site, {}};
      if (chance(20)) answer.reply = {451, {4, 3, 0}, "users are away"};
      if (chance(50)) answer.reply = {550, {5, 1, 1}, "gone"};
      answers.push_back(std::move(answer));
    }
    from_router([this, id = question.id, generation = question.generation, life = spool_life_,
                 answers = std::move(answers)]() mutable {
      for (const auto& answer : answers) {
        if (!answer.reply.positive() || life != spool_life_) continue;
        messages_.at(id.value).recipients.at(answer.index).told_site = answer.site;
      }
      scheduler_.routed(id, generation, std::move(answers), now_);
    });
  }

  /// Spool reads the addresses at some time, and answers later: with none where it cannot read them.
  void look_up(QueueId id) {
    if (!looked_up_.insert(id.value).second) violated("looked up twice at one time");
    const bool readable = !chance(10);
    from_spool([this, id, readable] {
      std::vector<AddressedRecipient> addresses;
      const auto& recipients = messages_.at(id.value).recipients;
      for (std::uint32_t i = 0; readable && i < recipients.size(); ++i) {
        if (!recipients[i].finished) addresses.push_back({i, address(i)});
      }
      from_spool([this, id, addresses = std::move(addresses)]() mutable {
        looked_up_.erase(id.value);
        scheduler_.addressed(id, std::move(addresses), now_);
      });
    });
  }

  /// What was not asked for, and of whom there is not: it changes nothing.
  void say_nonsense() {
    scheduler_.addressed(QueueId{1 + pick(messages_.size() + 2)}, {{1'000'000, address(7)}}, now_);
  }

  void carry_out(const Order& order) {
    auto& model = messages_.at(order.id.value);
    if (model.told_held) violated("a held message was ordered");
    if (order.recipients.empty() || order.recipients.size() > Scheduler::kMaxJobRecipients) {
      violated("a job of the wrong size");
    }
    std::set<std::string> sites;
    for (const auto index : order.recipients) {
      auto& recipient = model.recipients.at(index);
      if (recipient.place != Place::open) violated("ordered while in hand, unrecorded or finished");
      if (now_ < recipient.first_possible) violated("ordered before its time");
      recipient.place = Place::in_hand;
      sites.insert(recipient.site);
    }
    if (sites.size() != 1) violated("a job for two sites");
    if (*sites.begin() != order.site) violated("a job for another site than router's last word");
    auto& jobs = site_jobs_[*sites.begin()];
    if (++jobs > settings_.site_concurrency[0]) violated("a site beyond its limit");
    const auto life = spool_life_;
    if (chance(30)) {
      for (const auto index : order.recipients) model.recipients.at(index).place = Place::untold;
      from_spool([this, order, site = *sites.begin()] {
        --site_jobs_[site];
        for (const auto index : order.recipients)
          messages_.at(order.id.value).recipients.at(index).place = Place::open;
        scheduler_.not_handed(order.id, order.recipients, now_);
      });
      return;
    }
    events_.emplace(now_ + Microseconds(pick(3'000'000)),
                    Event{From::agent, 0, [this, order, life, site = *sites.begin()] {
                            std::vector<mail::RecipientOutcome> outcomes;
                            for (const auto index : order.recipients) {
                              outcomes.push_back(outcome_of(order.id.value, index));
                            }
                            record(order.id, outcomes, [this, life, site] {
                              if (life == spool_life_) --site_jobs_[site];
                            });
                          }});
  }

  void carry_out(const Tell& tell) {
    auto& model = messages_.at(tell.id.value);
    if (std::exchange(model.telling, true)) violated("told while being told");
    if (model.told_held) violated("told of a held message");
    if (tell.recipients.empty() || tell.recipients.size() > Scheduler::kMaxTold) violated("told of nobody");
    if (tell.delayed && (settings_.warn == Seconds(0) || now_ - model.arrival < settings_.warn)) {
      violated("warned too early");
    }
    if (tell.delayed && model.warned) violated("warned twice");
    for (const auto index : tell.recipients) {
      if (!tell.delayed && !model.recipients.at(index).owed) violated("told of one that did not fail");
      if (tell.delayed && model.recipients.at(index).place != Place::open) violated("told of what is tried");
    }
    const bool works = !chance(5);
    if (works) {
      model.warned = model.warned || tell.delayed;
      if (!tell.delayed) {
        for (const auto index : tell.recipients) model.recipients.at(index).owed = false;
      }
    }
    from_spool([this, tell, works] {
      messages_.at(tell.id.value).telling = false;
      if (!works) return scheduler_.not_told(tell.id, now_);
      scheduler_.told(tell.id, tell.delayed ? std::vector<std::uint32_t>{} : tell.recipients, tell.delayed);
    });
  }

  mail::RecipientOutcome outcome_of(std::uint64_t id, std::uint32_t index) {
    auto& recipient = messages_.at(id).recipients.at(index);
    mail::RecipientOutcome outcome{index, Disposition::delivered, {250, {2, 0, 0}, "ok"}, now_};
    if (recipient.defers_left > 0) {
      --recipient.defers_left;
      outcome.disposition = Disposition::deferred;
      outcome.reply =
          chance(2) ? mail::Reply{452, {4, 2, 2}, "full"} : mail::Reply{452, {4, 3, 1}, "disk full"};
      if (chance(3)) outcome.reply = {451, {4, 4, 1}, "no connection"};
    } else if (chance(20)) {
      outcome.disposition = Disposition::failed;
      outcome.reply = {550, {5, 1, 1}, "no such user"};
    }
    return outcome;
  }

  void record_decided(const Decided& decided) {
    for (const auto& outcome : decided.recipients) {
      const auto& recipient = messages_.at(decided.id.value).recipients.at(outcome.recipient);
      if (recipient.place != Place::open) violated("decided while in hand, unrecorded or finished");
    }
    record(decided.id, decided.recipients, [] {});
  }

  /// Durable now; the scheduler hears of it later.
  void record(QueueId id, const std::vector<mail::RecipientOutcome>& outcomes,
              std::function<void()> and_then) {
    for (const auto& outcome : outcomes) {
      auto& recipient = messages_.at(id.value).recipients.at(outcome.recipient);
      if (recipient.finished) violated("two final outcomes");
      recipient.finished = mail::is_final(outcome.disposition);
      recipient.owed = outcome.disposition == Disposition::failed;
      recipient.place = Place::untold;
      ++recipient.attempts;
      recipient.last_attempt = outcome.attempted;
      // A site that comes back releases all that waits for it.
      const bool may_come_back = outcome.reply.status.subject == 4;
      recipient.first_possible = outcome.attempted + (may_come_back ? Seconds(0) : settings_.retry_min);
    }
    from_spool([this, id, outcomes, and_then = std::move(and_then)] {
      and_then();
      for (const auto& outcome : outcomes) {
        auto& recipient = messages_.at(id.value).recipients.at(outcome.recipient);
        recipient.place = recipient.finished ? Place::finished : Place::open;
      }
      scheduler_.recorded(id, outcomes, now_);
    });
  }

  std::mt19937_64 random_;
  Settings settings_;
  Scheduler scheduler_;
  WallTime now_{1'700'000'000'000'000};
  std::map<std::uint64_t, Model> messages_;
  std::map<std::string, std::uint32_t> site_jobs_;
  std::set<std::uint64_t> looked_up_;  ///< and not answered
  std::multimap<WallTime, Event> events_;
  std::optional<WallTime> wake_;
  WallTime last_from_spool_, last_from_router_;
  std::uint64_t spool_life_ = 0, router_life_ = 0;
  bool pull_outstanding_ = false;
};

TEST(SchedulerSimulation, EveryRecipientIsTriedWhenItMayAndEnds) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    World world(seed);
    ASSERT_TRUE(world.run()) << "seed " << seed << ": " << world.why;
  }
}

}  // namespace
}  // namespace sternpost::queue

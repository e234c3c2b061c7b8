#include "queue/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "queue/retry.h"

namespace sternpost::queue {
namespace {

constexpr std::size_t kMaxReplyText = 512;

/// RFC 3463: subjects 3 (mail system) and 4 (network and routing) speak of the site, the others of the
/// recipient.
Sites::JobEnd end_of(const mail::RecipientOutcome& outcome) {
  if (outcome.disposition != mail::Disposition::deferred) return Sites::JobEnd::done;
  constexpr std::uint16_t kServiceClosing = 421;
  constexpr mail::EnhancedStatus kBadConnection{4, 4, 2};
  const auto& reply = outcome.reply;
  const bool by_host = !outcome.remote.empty();
  // A host that serves nobody now, or us at no time: only such a refusal defers mail with a permanent reply.
  if (by_host && (reply.code == kServiceClosing || reply.permanent())) return Sites::JobEnd::trouble;
  const auto subject = reply.status.subject;
  if (subject != 3 && subject != 4) return Sites::JobEnd::done;
  // An agent that speaks for itself of the network reached nobody, unless it lost a connection that stood.
  const bool reached = by_host || subject == 3 || reply.status == kBadConnection;
  return reached ? Sites::JobEnd::trouble : Sites::JobEnd::unreachable;
}

}  // namespace

void Scheduler::set(const Settings& settings) {
  settings_ = settings;
  gauge_.set(settings.pressure);
  sites_.set_caps(settings.site_concurrency);
}

void Scheduler::forget_all() {
  pull_outstanding_ = false;
  cursor_ = 0;
  recipients_in_ = {};
  entries_.clear();
  folded_.clear();
  in_category_ = {};
  sites_.clear();
  jobs_.clear();
  free_jobs_.clear();
  timers_.clear();
  to_ask_.clear();
  ++generation_;
  asked_ = 0;
  to_tell_.clear();
  spool_load_ = {};
  first_pass_.reset();
  telling_.clear();
  decisions_.clear();
  failing_by_.clear();
}

void Scheduler::spool_connected() {
  forget_all();
  spool_up_ = true;
}

void Scheduler::spool_lost() {
  forget_all();
  spool_up_ = false;
}

void Scheduler::router_connected() {
  router_lost();
  router_up_ = true;
  // It may know other routes than the one before it.
  for (const auto site : sites_.used()) {
    if (sites_.is_down(site)) ask_again(site);
  }
}

void Scheduler::router_lost() {
  router_up_ = false;
  for (auto& [id, entry] : entries_) {
    if (entry.count(State::asking) == 0) continue;
    for (auto& recipient : entry.recipients) {
      if (recipient.state == State::asking) entry.set(recipient, State::unasked);
    }
    // Before those whose addresses are not here: what is known of them waits in memory.
    to_ask_.push_front(id);
    count_asked(entry);
  }
}

void Scheduler::count_asked(Entry& entry) {
  const bool asked = entry.count(State::asking) + entry.count(State::looking_up) > 0;
  if (asked == std::exchange(entry.asked, asked)) return;
  asked_ += asked ? 1 : -1;
}

void Scheduler::loaded(const SpoolLoad& load) {
  spool_load_ = load;
  if (!first_pass_) first_pass_ = load.messages;
  if (known() >= load.messages) first_pass_ = 0;
}

Result<void> Scheduler::pulled(std::vector<Message>&& messages, std::uint64_t position, WallTime now) {
  if (!pull_outstanding_) return fail(ErrorClass::peer, "messages that were not pulled");
  pull_outstanding_ = false;
  cursor_ = position;
  if (first_pass_) *first_pass_ -= std::min<std::uint64_t>(*first_pass_, messages.size());
  for (auto& message : messages) admit(std::move(message), now);
  return {};
}

void Scheduler::admit(Message&& message, WallTime now) {
  if (folded_.contains(message.id)) return;  // moved in the spool's log; what is known here is newer
  const auto [at, fresh] = entries_.try_emplace(message.id);
  if (!fresh) return;
  auto& entry = at->second;
  entry.fresh = true;
  // What came in while the clock was ahead of this one is as old as can be told.
  entry.arrival = std::min(message.arrival, now);
  newest_arrival_ = std::max(newest_arrival_, entry.arrival);
  entry.held = message.held;
  entry.owing = std::move(message.owing);
  entry.warned = message.warned;
  ++in_category_[static_cast<std::size_t>(entry.category)];
  for (auto& open : message.recipients) {
    auto& recipient = entry.recipients.emplace_back();
    recipient.index = open.index;
    recipient.attempts = open.attempts;
    entry.addresses.push_back({open.index, std::move(open.address)});
  }
  entry.normalize();
  entry.in_state[static_cast<std::size_t>(State::waiting)] =
      static_cast<std::uint32_t>(entry.recipients.size());
  for (const auto& open : message.recipients) place(entry, at->first, *entry.find(open.index), open, now);
  settle(at);
}

void Scheduler::place(Entry& entry, QueueId id, Recipient& recipient, const OpenRecipient& open,
                      WallTime now) {
  if (recipient.state != State::waiting) return;
  if (open.in_hand) {
    entry.set(recipient, State::in_hand);
    return;
  }
  if (open.attempts == 0) {
    recipient.due = now;
  } else if (!entry.held && expired(settings_, entry.arrival, std::min(open.last_attempt, now))) {
    expire(entry, id, recipient, {}, now);
    return;
  } else {
    recipient.due = queue::next_attempt(settings_, id, entry.arrival, open.attempts, open.last_attempt, now);
  }
  if (!entry.held && recipient.due <= now) start(entry, id, recipient);
}

void Scheduler::start(Entry& entry, QueueId id, Recipient& recipient) {
  if (recipient.routed) {
    const bool down = sites_.is_down(recipient.site);
    entry.set(recipient, down ? State::parked : State::ready);
    if (down) recipient.due = entry.arrival + settings_.expire;
    sites_.add_ready(recipient.site, id, recipient.index);
    return;
  }
  if (entry.count(State::unasked) == 0) to_ask_.push_back(id);
  entry.set(recipient, State::unasked);
}

void Scheduler::start_due(Entry& entry, QueueId id, WallTime now) {
  if (entry.held) return;
  if (settings_.warn > Seconds(0) && now - entry.arrival >= settings_.warn) entry.late = true;
  for (auto& recipient : entry.recipients) {
    if (recipient.due > now) continue;
    if (recipient.state == State::waiting) start(entry, id, recipient);
    // It may be that it has just been parked, too old; and the time may have been set anew since it was.
    if (recipient.state == State::parked && recipient.due <= now) {
      recipient.due = entry.arrival + settings_.expire;
      if (recipient.due <= now) expire(entry, id, recipient, sites_.reason(recipient.site), now);
    }
  }
}

void Scheduler::routed(QueueId id, std::uint32_t generation, std::vector<RouteAnswer>&& answers,
                       WallTime now) {
  if (generation != generation_) return;
  const auto at = open(id);
  if (at == entries_.end()) return;
  auto& entry = at->second;
  std::vector<SiteId> left;
  for (auto& answer : answers) {
    auto* recipient = entry.find(answer.index);
    if (recipient == nullptr || recipient->state != State::asking) continue;
    if (answer.reply.positive()) {
      const auto before = std::exchange(recipient->site, sites_.refer(answer.agent, answer.site));
      recipient->routed = true;
      entry.set(*recipient, State::waiting);
      recipient->due = now;
      if (!entry.held) start(entry, id, *recipient);
      const bool changed = recipient->site != before;
      if (before != kNoSite && changed && sites_.is_down(before)) {
        left.push_back(before);
      } else if (before != kNoSite) {
        sites_.release(before);
      }
      if (changed) notices_.emplace_back(RoutedNotice{id, *entry.address(answer.index), std::move(answer)});
    } else {
      const auto disposition =
          answer.reply.permanent() ? mail::Disposition::failed : mail::Disposition::deferred;
      decide(entry, id, *recipient, disposition, answer.reply, answer.rule, now);
      notices_.emplace_back(RoutedNotice{id, *entry.address(answer.index), std::move(answer)});
    }
  }
  settle(at);
  for (const auto site : left) {
    ask_again(site);
    sites_.release(site);
  }
}

/// Mail for one who waited at the site goes elsewhere now, so perhaps that of the others does.
void Scheduler::ask_again(SiteId site) {
  for (const auto& ready : sites_.take_rotation(site)) {
    const auto at = open(ready.id);
    if (at == entries_.end()) continue;
    auto& entry = at->second;
    const bool was_asked_for = entry.count(State::unasked) > 0;
    for (auto& recipient : entry.between(ready.first, ready.last)) {
      if (recipient.site != site || recipient.state != State::parked) continue;
      recipient.routed = false;
      entry.set(recipient, State::unasked);
    }
    if (!was_asked_for && entry.count(State::unasked) > 0) to_ask_.push_back(ready.id);
    settle(at);
  }
}

void Scheduler::decide(Entry& entry, QueueId id, Recipient& recipient, mail::Disposition disposition,
                       mail::Reply reply, const Rule& rule, WallTime now) {
  entry.set(recipient, State::deciding);
  if (disposition == mail::Disposition::failed) failing_by_[{id, recipient.index}] = rule;
  if (decisions_.empty() || decisions_.back().id != id) decisions_.push_back({id, {}});
  if (reply.text.size() > kMaxReplyText) reply.text.resize(kMaxReplyText);
  decisions_.back().recipients.push_back({.recipient = recipient.index,
                                          .disposition = disposition,
                                          .reply = std::move(reply),
                                          .attempted = now});
}

void Scheduler::expire(Entry& entry, QueueId id, Recipient& recipient, const mail::Reply& last,
                       WallTime now) {
  auto text = fmt::format("delivery time expired after {} hours",
                          std::chrono::duration_cast<std::chrono::hours>(now - entry.arrival).count());
  if (last.code != 0) text.append("; last reply: ").append(to_string(last));
  decide(entry, id, recipient, mail::Disposition::failed, {554, kExpiredStatus, std::move(text)},
         settings_.expire_rule, now);
}

void Scheduler::recorded(QueueId id, std::span<const mail::RecipientOutcome> outcomes, WallTime now) {
  // First what they say of their site: whoever is deferred there waits as the site then is.
  if (const auto in_hand = entries_.find(id); in_hand != entries_.end()) {
    leave_jobs(in_hand->second, outcomes, now);  // which opens others
  }
  const auto at = open(id);
  if (at == entries_.end()) return;
  auto& entry = at->second;
  for (const auto& outcome : outcomes) {
    auto* recipient = entry.find(outcome.recipient);
    if (recipient == nullptr) {
      if (mail::is_final(outcome.disposition)) std::erase(entry.owing, outcome.recipient);
      continue;
    }
    const bool ours = recipient->state == State::deciding;
    if (!mail::is_final(outcome.disposition)) {
      defer(entry, id, *recipient, outcome, now);
      continue;
    }
    auto rule = failing_by_.extract({id, outcome.recipient});
    if (outcome.disposition == mail::Disposition::failed) {
      entry.owing.push_back(outcome.recipient);
      if (ours) note_failed(id, outcome, rule.empty() ? Rule{} : std::move(rule.mapped()));
    }
    finish(entry, outcome.recipient);
  }
  settle(at);
}

void Scheduler::defer(Entry& entry, QueueId id, Recipient& recipient, const mail::RecipientOutcome& outcome,
                      WallTime now) {
  ++recipient.attempts;
  if (!entry.held && expired(settings_, entry.arrival, now)) {
    expire(entry, id, recipient, outcome.reply, now);
    return;
  }
  // Where the site was not reached, its own schedule waits with it: one attempt there speaks for all.
  const bool unreached = end_of(outcome) == Sites::JobEnd::unreachable;
  const bool down = unreached && recipient.routed && sites_.is_down(recipient.site);
  recipient.routed = false;
  entry.set(recipient, State::waiting);
  recipient.due = down ? std::min(sites_.blocked_until(recipient.site), entry.arrival + settings_.expire)
                       : queue::next_attempt(settings_, id, entry.arrival, recipient.attempts, now, now);
  note_deferred(id, recipient.index, outcome.reply, recipient.due);
}

void Scheduler::finish(Entry& entry, std::uint32_t index) {
  auto* recipient = entry.find(index);
  if (recipient->site != kNoSite) sites_.release(recipient->site);
  --entry.in_state[static_cast<std::size_t>(recipient->state)];
  entry.recipients.erase(entry.recipients.begin() + (recipient - entry.recipients.data()));
}

std::uint32_t Scheduler::new_job(SiteId site, std::uint32_t round, std::uint32_t recipients) {
  std::uint32_t slot = 0;
  if (free_jobs_.empty()) {
    slot = static_cast<std::uint32_t>(jobs_.size());
    jobs_.emplace_back();
  } else {
    slot = free_jobs_.back();
    free_jobs_.pop_back();
  }
  jobs_[slot] = {site, round, recipients, false, Sites::JobEnd::done, {}};
  return slot;
}

void Scheduler::leave_jobs(Entry& entry, std::span<const mail::RecipientOutcome> outcomes, WallTime now) {
  for (const auto& outcome : outcomes) {
    if (auto* recipient = entry.find(outcome.recipient)) {
      leave_job(*recipient, end_of(outcome), outcome.reply, now);
    }
  }
}

void Scheduler::leave_job(Recipient& recipient, Sites::JobEnd how, const mail::Reply& reply, WallTime now) {
  if (recipient.job == kNoJob) return;
  const auto slot = std::exchange(recipient.job, kNoJob);
  auto& job = jobs_[slot];
  job.end = std::max(job.end, how);
  if (how == Sites::JobEnd::unreachable) {
    job.reply = reply;
  } else if (how != Sites::JobEnd::not_handed) {
    job.reached = true;
  }
  if (--job.outstanding > 0) return;
  end_job(job, now);
  free_jobs_.push_back(slot);
}

void Scheduler::end_job(Job& job, WallTime now) {
  const bool lost_on_the_way = job.end == Sites::JobEnd::unreachable && job.reached;
  const auto turned =
      sites_.ended(job.site, job.round, lost_on_the_way ? Sites::JobEnd::trouble : job.end, now);
  if (turned == Sites::Turned::down) take_down(job.site, job.reply, now);
  if (turned == Sites::Turned::up) notices_.emplace_back(SiteUpNotice{std::string(sites_.name(job.site))});
  job.reply = {};
}

/// What waits for a turn there waits on without taking the place of what can be delivered. Attempts come as
/// often as those of a message that arrived when the site went down.
void Scheduler::take_down(SiteId site, const mail::Reply& reason, WallTime now) {
  const auto age = sites_.is_down(site) ? now - sites_.down_since(site) : Microseconds(0);
  const auto until =
      now + retry_delay(settings_, QueueId{site}, static_cast<std::uint32_t>(age.count()), age);
  const bool was_up = !sites_.is_down(site);
  sites_.take_down(site, reason, now, until);
  notices_.emplace_back(SiteDownNotice{std::string(sites_.name(site)), reason, until});
  if (!was_up) return;
  for (const auto& ready : sites_.rotation(site)) {
    const auto at = open(ready.id);
    if (at == entries_.end()) continue;
    auto& entry = at->second;
    for (auto& recipient : entry.between(ready.first, ready.last)) {
      if (recipient.state != State::ready || recipient.site != site) continue;
      entry.set(recipient, State::parked);
      recipient.due = entry.arrival + settings_.expire;
    }
    settle(at);
  }
}

void Scheduler::not_handed(QueueId id, std::span<const std::uint32_t> recipients, WallTime now) {
  const auto at = open(id);
  if (at == entries_.end()) return;
  auto& entry = at->second;
  for (const auto index : recipients) {
    auto* recipient = entry.find(index);
    if (recipient == nullptr || recipient->state != State::in_hand) continue;
    leave_job(*recipient, Sites::JobEnd::not_handed, {}, now);
    entry.set(*recipient, State::waiting);
    recipient->due = now;
  }
  start_due(entry, id, now);
  settle(at);
}

void Scheduler::hold_changed(QueueId id, bool held, WallTime now) {
  const auto at = open(id);
  if (at == entries_.end()) return;
  auto& entry = at->second;
  if (std::exchange(entry.held, held) != held && held) {
    // What waits for a turn finds out there that it is not ready; an answer of router is kept for the
    // release.
    for (auto& recipient : entry.recipients) {
      if (recipient.state != State::ready && recipient.state != State::parked &&
          recipient.state != State::unasked) {
        continue;
      }
      entry.set(recipient, State::waiting);
      recipient.due = now;
    }
  }
  start_due(entry, id, now);
  settle(at);
}

void Scheduler::told(QueueId id, std::span<const std::uint32_t> recipients, bool warned) {
  telling_.erase(id);
  const auto at = open(id);
  if (at == entries_.end()) return;
  auto& entry = at->second;
  entry.telling = false;
  for (const auto index : recipients) std::erase(entry.owing, index);
  entry.warned = entry.warned || warned;
  settle(at);
}

void Scheduler::not_told(QueueId id, WallTime now) {
  telling_.erase(id);
  const auto at = open(id);
  if (at == entries_.end()) return;
  auto& entry = at->second;
  entry.telling = false;
  entry.tell_after = now + kTellAgain;
  settle(at);
}

void Scheduler::note_deferred(QueueId id, std::uint32_t index, const mail::Reply& reply, WallTime next) {
  if (!notices_.empty()) {
    auto* last = std::get_if<DeferredNotice>(&notices_.back());
    if (last != nullptr && last->id == id && last->next == next && last->reply == reply) {
      last->recipients.push_back(index);
      return;
    }
  }
  notices_.emplace_back(DeferredNotice{id, {index}, reply, next});
}

void Scheduler::note_failed(QueueId id, const mail::RecipientOutcome& outcome, Rule rule) {
  if (!notices_.empty()) {
    auto* last = std::get_if<FailedNotice>(&notices_.back());
    if (last != nullptr && last->id == id && last->reply == outcome.reply && last->rule == rule) {
      last->recipients.push_back(outcome.recipient);
      return;
    }
  }
  notices_.emplace_back(FailedNotice{id, {outcome.recipient}, outcome.reply, std::move(rule)});
}

Counts Scheduler::counts() const {
  auto in = [&](Category category) { return in_category_[static_cast<std::size_t>(category)]; };
  return {.routing = in(Category::routing),
          .ready = in(Category::ready),
          .active = in(Category::active),
          .deferred = in(Category::deferred),
          .held = in(Category::held),
          .owing = in(Category::owing)};
}

}  // namespace sternpost::queue

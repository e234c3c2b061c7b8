// The half of Scheduler that turns its state into actions.
#include <algorithm>
#include <numeric>
#include <utility>

#include "queue/scheduler.h"

namespace sternpost::queue {
namespace {

/// Of messages or recipients: those that count against what is worked on at one time.
std::uint64_t working(const std::array<std::uint64_t, kCategories>& by_category) {
  return by_category[static_cast<std::size_t>(Category::active)] +
         by_category[static_cast<std::size_t>(Category::ready)] +
         by_category[static_cast<std::size_t>(Category::routing)];
}

}  // namespace

Actions Scheduler::take(WallTime now) {
  Actions actions;
  fire_timers(now);
  ask(actions);
  if (spool_up_) {
    order(actions, now);
    tell(actions);
    pull(actions);
  }
  gauge(actions, now);
  actions.decisions = std::exchange(decisions_, {});
  actions.notices = std::exchange(notices_, {});
  if (const auto timer = next_timer()) actions.wake = timer->first;
  if (const auto unblocked = sites_.wake(); unblocked && (!actions.wake || *unblocked < *actions.wake)) {
    actions.wake = unblocked;
  }
  if (const auto calm = gauge_.calm_at(); calm && (!actions.wake || *calm < *actions.wake)) {
    actions.wake = calm;
  }
  if (sites_.has_turn()) actions.wake = now;
  return actions;
}

void Scheduler::fire_timers(WallTime now) {
  for (auto timer = next_timer(); timer && timer->first <= now; timer = next_timer()) {
    timers_.fired();
    const auto at = open(timer->second);
    auto& entry = at->second;
    entry.timer.reset();
    start_due(entry, at->first, now);
    if (entry.wants_to_tell() && entry.tell_after <= now) {
      to_tell_.push_back(at->first);
      entry.telling = true;
    }
    settle(at);
  }
}

void Scheduler::ask(Actions& actions) {
  if (!router_up_) return;
  while (!to_ask_.empty() && asked_ < kMaxAsked) {
    const auto id = to_ask_.front();
    to_ask_.pop_front();
    const auto at = open(id);
    if (at == entries_.end()) continue;
    auto& entry = at->second;
    // What spool is asked already will come with all addresses.
    const bool was_looked_up = entry.count(State::looking_up) > 0;
    RouteQuestion question{id, {}, generation_};
    for (auto& recipient : entry.recipients) {
      if (recipient.state != State::unasked) continue;
      const auto* address = entry.address(recipient.index);
      if (address != nullptr) question.recipients.push_back({recipient.index, *address});
      entry.set(recipient, address != nullptr ? State::asking : State::looking_up);
    }
    if (!was_looked_up && entry.count(State::looking_up) > 0) actions.lookups.push_back(id);
    if (!question.recipients.empty()) actions.questions.push_back(std::move(question));
    settle(at);
  }
}

void Scheduler::order(Actions& actions, WallTime now) {
  while (actions.orders.size() < kMaxOrders) {
    const auto turn = sites_.next_turn(now);
    if (!turn) break;
    const auto at = open(turn->ready.id);
    if (at == entries_.end()) {
      sites_.skipped(turn->site);
      continue;
    }
    auto order = make_order(at, *turn);
    if (order.recipients.empty()) {
      sites_.skipped(turn->site);
    } else {
      const auto job = new_job(turn->site, sites_.started(turn->site),
                               static_cast<std::uint32_t>(order.recipients.size()));
      for (const auto index : order.recipients) at->second.find(index)->job = job;
      actions.orders.push_back(std::move(order));
    }
    settle(at);
  }
}

/// As many as one job may have; the others have another turn.
Order Scheduler::make_order(Entries::iterator at, const Sites::Turn& turn) {
  auto& [id, entry] = *at;
  const auto [site, ready] = turn;
  Order order{id, sites_.agent(site), {}, std::string(sites_.name(site))};
  for (auto& recipient : entry.between(ready.first, ready.last)) {
    if (recipient.site != site) continue;
    if (recipient.state != State::ready && recipient.state != State::parked) continue;
    if (order.recipients.size() == kMaxJobRecipients) {
      sites_.add_ready(site, {id, recipient.index, ready.last});
      break;
    }
    entry.set(recipient, State::in_hand);
    order.recipients.push_back(recipient.index);
  }
  return order;
}

void Scheduler::tell(Actions& actions) {
  while (!to_tell_.empty() && telling_.size() < kMaxTelling) {
    const auto at = open(to_tell_.front());
    to_tell_.pop_front();
    if (at == entries_.end()) continue;
    auto& entry = at->second;
    entry.telling = false;
    if (entry.wants_to_tell() && !telling_.contains(at->first)) {
      auto& tell = actions.tells.emplace_back(Tell{at->first, entry.owing.empty(), {}, {}});
      tell.until = entry.arrival + settings_.expire;
      if (tell.delayed) {
        for (const auto& recipient : entry.recipients) tell.recipients.push_back(recipient.index);
      } else {
        tell.recipients = entry.owing;
      }
      if (tell.recipients.size() > kMaxTold) tell.recipients.resize(kMaxTold);
      entry.telling = true;
      telling_.insert(at->first);
    }
    settle(at);
  }
}

void Scheduler::gauge(Actions& actions, WallTime now) {
  actions.pressure = gauge_.update(load(now), now);
}

/// What was not pulled yet waits for its first attempt, and so does what is on its way to it here. How long
/// shows where pulling has stopped: what comes next arrived about when the last one did. What an older qmgr
/// knew says nothing of either until it has been seen: after a restart all of it is behind.
Load Scheduler::load(WallTime now) const {
  const auto in = [&](Category category) { return in_category_[static_cast<std::size_t>(category)]; };
  const auto seen = known() + first_pass_.value_or(0);
  const auto behind = spool_load_.messages > seen ? spool_load_.messages - seen : 0;
  Load load;
  load.backlog = behind + in(Category::ready) + in(Category::routing);
  if (!pull_outstanding_ && behind > 0 && first_pass_.value_or(0) == 0) load.lag = now - newest_arrival_;
  load.memory_bytes = spool_load_.memory_bytes + memory_bytes();
  load.disk_bytes = spool_load_.disk_bytes;
  load.max_disk_bytes = spool_load_.max_disk_bytes;
  return load;
}

/// About what was measured of a million messages, with all that malloc, tables and timers add.
std::uint64_t Scheduler::memory_bytes() const {
  constexpr std::uint64_t kOfFolded = 100;
  constexpr std::uint64_t kOfFoldedRecipient = 10;
  constexpr std::uint64_t kOfWorking = 300;
  constexpr std::uint64_t kOfWorkingRecipient = 150;
  const auto total = [](const auto& by_category) {
    return std::accumulate(by_category.begin(), by_category.end(), std::uint64_t{0});
  };
  const auto at_work = working(recipients_in_);
  return folded_.size() * kOfFolded + (total(recipients_in_) - at_work) * kOfFoldedRecipient +
         entries_.size() * kOfWorking + at_work * kOfWorkingRecipient;
}

std::uint64_t Scheduler::room() const {
  auto left = [](std::uint64_t bound, std::uint64_t used) { return used < bound ? bound - used : 0; };
  const std::uint64_t max_active = std::max(settings_.max_active_messages, 1U);
  return std::min(left(max_active, working(in_category_)),
                  left(max_active * kRecipientsFactor, working(recipients_in_)));
}

void Scheduler::pull(Actions& actions) {
  if (pull_outstanding_) return;
  // A few at a time would cost a frame each: wait until a quarter, or a full pull, has room.
  const std::uint64_t worthwhile = std::clamp(settings_.max_active_messages / 4, 1U, kMaxPull);
  const auto free = room();
  if (free < worthwhile) return;
  actions.pull = Pull{cursor_, static_cast<std::uint32_t>(std::min<std::uint64_t>(free, kMaxPull))};
  pull_outstanding_ = true;
}

}  // namespace sternpost::queue

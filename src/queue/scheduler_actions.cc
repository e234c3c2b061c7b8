// The half of Scheduler that turns its state into actions.
#include <algorithm>
#include <utility>

#include "queue/scheduler.h"

namespace sternpost::queue {

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
  if (!timers_.empty()) actions.wake = timers_.begin()->first;
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
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const auto at = entries_.find(timers_.begin()->second);
    auto& entry = at->second;
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
    const auto at = entries_.find(id);
    if (at == entries_.end() || at->second.count(State::unasked) == 0) continue;
    auto& entry = at->second;
    RouteQuestion question{id, {}};
    for (auto& recipient : entry.recipients) {
      if (recipient.state != State::unasked) continue;
      question.recipients.push_back({recipient.index, entry.address(recipient.index)});
      entry.set(recipient, State::asking);
    }
    count_asked(entry);
    actions.questions.push_back(std::move(question));
  }
}

void Scheduler::order(Actions& actions, WallTime now) {
  while (actions.orders.size() < kMaxOrders) {
    auto turn = sites_.next_turn(now);
    if (!turn) break;
    const auto at = entries_.find(turn->ready.id);
    Order order{turn->ready.id, sites_.agent(turn->site), {}, std::string(sites_.name(turn->site))};
    auto& indexes = turn->ready.indexes;
    std::size_t looked_at = 0;
    for (; looked_at < indexes.size() && order.recipients.size() < kMaxJobRecipients; ++looked_at) {
      if (at == entries_.end()) continue;
      auto& entry = at->second;
      auto* recipient = entry.find(indexes[looked_at]);
      if (recipient == nullptr || recipient->site != turn->site) continue;
      if (recipient->state != State::ready && recipient->state != State::parked) continue;
      entry.set(*recipient, State::in_hand);
      order.recipients.push_back(recipient->index);
    }
    indexes.erase(indexes.begin(), indexes.begin() + static_cast<std::ptrdiff_t>(looked_at));
    if (!indexes.empty()) sites_.add_ready(turn->site, std::move(turn->ready));
    if (order.recipients.empty()) {
      sites_.skipped(turn->site);
      continue;
    }
    const auto job =
        new_job(turn->site, sites_.started(turn->site), static_cast<std::uint32_t>(order.recipients.size()));
    for (const auto index : order.recipients) at->second.find(index)->job = job;
    actions.orders.push_back(std::move(order));
    settle(at);
  }
}

void Scheduler::tell(Actions& actions) {
  while (!to_tell_.empty() && telling_.size() < kMaxTelling) {
    const auto at = entries_.find(to_tell_.front());
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
  constexpr std::uint64_t kBytesOfEntry = 300;
  constexpr std::uint64_t kBytesOfRecipient = 100;
  const auto in = [&](Category category) { return in_category_[static_cast<std::size_t>(category)]; };
  const std::uint64_t known = entries_.size();
  const auto seen = known + first_pass_.value_or(0);
  const auto behind = spool_load_.messages > seen ? spool_load_.messages - seen : 0;
  std::uint64_t recipients = 0;
  for (const auto count : recipients_in_) recipients += count;
  Load load;
  load.backlog = behind + in(Category::ready) + in(Category::routing);
  if (!pull_outstanding_ && behind > 0 && first_pass_.value_or(0) == 0) load.lag = now - newest_arrival_;
  load.memory_bytes = spool_load_.memory_bytes + known * kBytesOfEntry + recipients * kBytesOfRecipient;
  load.disk_bytes = spool_load_.disk_bytes;
  load.max_disk_bytes = spool_load_.max_disk_bytes;
  return load;
}

std::uint64_t Scheduler::room() const {
  auto working = [](const auto& by_category) {
    return by_category[static_cast<std::size_t>(Category::active)] +
           by_category[static_cast<std::size_t>(Category::ready)] +
           by_category[static_cast<std::size_t>(Category::routing)];
  };
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

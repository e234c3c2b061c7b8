// How Scheduler keeps what waits: folded, with a timer, without addresses.
#include <algorithm>
#include <utility>

#include "queue/scheduler.h"

namespace sternpost::queue {

Scheduler::Entries::iterator Scheduler::open(QueueId id) {
  const auto at = entries_.find(id);
  if (at != entries_.end()) return at;
  const auto folded = folded_.find(id);
  if (folded == folded_.end()) return entries_.end();
  const auto unfolded = entries_.emplace(id, folded->second.unfold()).first;
  folded_.erase(folded);
  return unfolded;
}

const Entry* Scheduler::look(QueueId id, Entry& unfolded) const {
  if (const auto at = entries_.find(id); at != entries_.end()) return &at->second;
  const auto at = folded_.find(id);
  if (at == folded_.end()) return nullptr;
  at->second.unfold_to(unfolded);
  return &unfolded;
}

void Scheduler::settle(Entries::iterator at) {
  auto& [id, entry] = *at;
  --in_category_[static_cast<std::size_t>(entry.category)];
  recipients_in_[static_cast<std::size_t>(entry.category)] -= entry.counted;
  count_asked(entry);
  if (entry.done()) {
    settle_timer(entry, id, std::nullopt);
    entries_.erase(at);
    return;
  }
  entry.category = entry.sort_out();
  ++in_category_[static_cast<std::size_t>(entry.category)];
  entry.counted = static_cast<std::uint32_t>(entry.recipients.size());
  recipients_in_[static_cast<std::size_t>(entry.category)] += entry.counted;
  settle_timer(entry, id, entry.next_time(settings_.warn));
  if (!entry.only_waits()) return;
  folded_.emplace(id, FoldedEntry(entry));
  entries_.erase(at);
}

void Scheduler::settle_timer(Entry& entry, QueueId id, std::optional<WallTime> due) {
  if (due == entry.timer) return;
  if (entry.timer) timers_.cancel();
  if (due) timers_.add(*due, id);
  entry.timer = due;
  if (!timers_.wants_refill()) return;
  timers_.refill([this](const auto& add) {
    for (const auto& [one, working] : entries_) {
      if (working.timer) add(*working.timer, one);
    }
    for (const auto& [one, folded] : folded_) {
      if (const auto timer = folded.timer()) add(*timer, one);
    }
  });
}

std::optional<WallTime> Scheduler::timer_of(QueueId id) const {
  if (const auto at = entries_.find(id); at != entries_.end()) return at->second.timer;
  if (const auto at = folded_.find(id); at != folded_.end()) return at->second.timer();
  return std::nullopt;
}

std::optional<Timers::Timer> Scheduler::next_timer() {
  for (; !timers_.empty(); timers_.drop()) {
    if (timer_of(timers_.first().second) == timers_.first().first) return timers_.first();
  }
  return std::nullopt;
}

void Scheduler::clock_stepped(Microseconds step, WallTime now) {
  gauge_.clock_stepped(step);
  sites_.clock_stepped(step);
  newest_arrival_ = std::min(newest_arrival_ + step, now);
  for (const auto id : with_recipients_at(nullptr)) {
    const auto at = open(id);
    auto& entry = at->second;
    entry.arrival = std::min(entry.arrival, now);
    if (entry.tell_after != WallTime{}) entry.tell_after = entry.tell_after + step;
    for (auto& recipient : entry.recipients) {
      if (recipient.state == State::waiting) recipient.due = recipient.due + step;
      if (recipient.state == State::parked) recipient.due = entry.arrival + settings_.expire;
    }
    settle(at);
  }
}

void Scheduler::addressed(QueueId id, std::vector<AddressedRecipient>&& addresses, WallTime now) {
  const auto at = entries_.find(id);  // what is looked up is not folded
  if (at == entries_.end()) return;
  auto& entry = at->second;
  for (auto& one : addresses) {
    auto* recipient = entry.find(one.index);
    if (recipient == nullptr || recipient->state != State::looking_up) continue;
    entry.set(*recipient, State::unasked);
    entry.addresses.push_back(std::move(one));
  }
  entry.normalize();
  for (auto& recipient : entry.recipients) {
    const bool left_out = recipient.state == State::looking_up;
    if (!left_out && (recipient.state != State::unasked || !entry.held)) continue;
    entry.set(recipient, State::waiting);
    recipient.due = left_out ? now + kLookAgain : now;
  }
  // Its addresses are in memory now, so it goes before those whose are not.
  if (entry.count(State::unasked) > 0) to_ask_.push_front(id);
  settle(at);
}

}  // namespace sternpost::queue

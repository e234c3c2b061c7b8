#include "service/dns/resolver.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>
#include <vector>

namespace sternpost::dns {
namespace {

Answer unavailable(std::string_view name, std::string why) {
  Answer answer;
  answer.canonical = name;
  answer.why = std::move(why);
  return answer;
}

std::chrono::steady_clock::time_point now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

void Resolver::look_up(Kind kind, const std::string& name, Asker asker, Done done) {
  ++counts_.lookups;
  if (waiters_.size() >= kMostWaiting) return reply(done, unavailable(name, "too many lookups wait"));
  const Key key(kind, name);
  const auto [entry, is_new] = entries_.try_emplace(key);
  auto& [stage, place, waiting, first] = entry->second;
  if (is_new) {
    auto& queue = queues_.at(static_cast<std::size_t>(kind));
    place = queue.insert(queue.end(), {key});
    if (asked_.size() >= kMostLookups) ++counts_.queued;
  } else {
    ++counts_.coalesced;
  }
  const auto time = now();
  const auto until = time + (stage == Stage::queued ? patience_.altogether : patience_.answer);
  waiting.push_back(waiters_.emplace(until, Waiter{time, key, asker, std::move(done)}));
  ask_next();
  set_timer();
}

void Resolver::forget(Asker asker) {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    std::erase_if(entry->second.waiting, [&](const Waiters::iterator& at) {
      if (at->second.asker != asker) return false;
      waiters_.erase(at);
      return true;
    });
    entry = drop_unwanted(entry);
  }
}

/// The entry after this one, which is dropped where it waits for its turn and nobody for it.
Resolver::Entries::iterator Resolver::drop_unwanted(Entries::iterator entry) {
  const auto& [stage, place, waiting, first] = entry->second;
  if (stage != Stage::queued || !waiting.empty()) return std::next(entry);
  queues_.at(static_cast<std::size_t>(entry->first.first)).erase(place);
  return entries_.erase(entry);
}

/// What is answered at once makes room for the next: in this loop, and not ever deeper in calls.
void Resolver::ask_next() {
  if (std::exchange(asking_, true)) return;
  while (asked_.size() < kMostLookups) {
    auto* queue = next_queue();
    if (queue == nullptr) break;
    begin(*queue);
  }
  asking_ = false;
}

Resolver::Places* Resolver::next_queue() {
  for (std::size_t i = 0; i < queues_.size(); ++i) {
    turn_ = (turn_ + 1) % queues_.size();
    if (!queues_.at(turn_).empty()) return &queues_.at(turn_);
  }
  return nullptr;
}

void Resolver::begin(Places& queue) {
  asked_.splice(asked_.end(), queue, queue.begin());
  auto& place = asked_.back();
  place.until = now() + patience_.answer;
  auto& entry = entries_.at(place.key);
  entry.stage = Stage::asked;
  for (auto& at : entry.waiting) {
    auto waiter = waiters_.extract(at);
    waiter.key() = std::min(waiter.key(), place.until);
    at = waiters_.insert(std::move(waiter));
  }
  ask(Key(place.key));  // which may be answered, and its place gone, before this returns
}

void Resolver::ask(const Key& key) {
  const auto ask_for = [&](RecordType type) {
    ask_(key.second, type, [this, key, type](const RawAnswer& raw) { take(key, type, raw); });
  };
  if (key.first == Kind::mx) return ask_for(RecordType::mx);
  ask_for(RecordType::aaaa);
  ask_for(RecordType::a);
}

void Resolver::take(const Key& key, RecordType type, const RawAnswer& raw) {
  auto answer = parse_answer(raw, key.second, type);
  if (type == RecordType::mx) return finish(key, std::move(answer));
  auto& first = entries_.at(key).first;
  if (!first) {
    first = std::move(answer);
    return;
  }
  finish(key, type == RecordType::a ? merge_addresses(std::move(answer), std::move(*first))
                                    : merge_addresses(std::move(*first), std::move(answer)));
}

void Resolver::finish(const Key& key, Answer&& answer) {
  const auto node = entries_.extract(key);
  const auto& entry = node.mapped();
  if (entry.stage == Stage::asked) {
    asked_.erase(entry.place);
  } else {
    --given_up_;
  }
  // Those who are told may ask again at once.
  std::vector<Done> told;
  for (const auto at : entry.waiting) {
    told.push_back(std::move(at->second.done));
    waiters_.erase(at);
  }
  for (const auto& done : told) reply(done, Answer(answer));
  ask_next();
  set_timer();
}

void Resolver::reply(const Done& done, Answer&& answer) {
  const std::array counters = {&counts_.found, &counts_.no_data, &counts_.no_name, &counts_.unavailable,
                               &counts_.bogus};
  ++*counters.at(static_cast<std::size_t>(answer.outcome));
  if (answer.secure) ++counts_.secure;
  done(std::move(answer));
}

void Resolver::expire() {
  const auto time = now();
  std::vector<std::pair<Done, Answer>> told;
  while (!waiters_.empty() && waiters_.begin()->first <= time) {
    auto node = waiters_.extract(waiters_.begin());
    auto& waiter = node.mapped();
    const auto entry = entries_.find(waiter.key);
    entry->second.waiting.pop_front();  // in the same order
    const auto* const what =
        entry->second.stage == Stage::queued ? "too many lookups are under way: no turn" : "no answer";
    const std::chrono::duration<double> waited = node.key() - waiter.since;
    told.emplace_back(
        std::move(waiter.done),
        unavailable(waiter.key.second, fmt::format("{} within {:.3g} s", what, waited.count())));
    drop_unwanted(entry);
  }
  give_up(time);
  for (auto& [done, answer] : told) reply(done, std::move(answer));
  ask_next();
}

void Resolver::give_up(Time time) {
  while (!asked_.empty() && asked_.front().until <= time && given_up_ < kMostGivenUp) {
    entries_.at(asked_.front().key).stage = Stage::given_up;
    asked_.pop_front();
    ++given_up_;
    ++counts_.given_up;
  }
}

/// When expire() has something to do.
std::optional<Resolver::Time> Resolver::due() const {
  std::optional<Time> due;
  if (!waiters_.empty()) due = waiters_.begin()->first;
  if (!asked_.empty() && given_up_ < kMostGivenUp) {
    due = due ? std::min(*due, asked_.front().until) : asked_.front().until;
  }
  return due;
}

/// It is left alone where it is due early enough; what it was set for may be answered by then.
void Resolver::set_timer() {
  const auto next = due();
  if (!next || (timer_due_ && *timer_due_ <= *next)) return;
  timer_due_ = next;
  timer_.expires_at(*next);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    timer_due_.reset();
    expire();
    set_timer();
  });
}

}  // namespace sternpost::dns

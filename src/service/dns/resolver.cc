#include "service/dns/resolver.h"

#include <fmt/format.h>

#include <array>
#include <iterator>

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

void Resolver::look_up(Kind kind, const std::string& name, Done done) {
  ++counts_.lookups;
  const Key key(kind, name);
  auto entry = entries_.find(key);
  const bool is_new = entry == entries_.end();
  if ((is_new && entries_.size() >= kMostLookups) || waiting_.size() >= kMostWaiting)
    return reply(done, unavailable(name, "too many lookups are under way"));
  if (is_new) {
    entry = entries_.try_emplace(key).first;
  } else {
    ++counts_.coalesced;
  }
  waiting_.push_back({now() + patience_, key, std::move(done)});
  entry->second.waiting.push_back(std::prev(waiting_.end()));
  if (is_new) ask(key);
  set_timer();
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
  // Those who are told may ask again at once.
  const auto entry = entries_.extract(key);
  WaitingList told;
  for (const auto at : entry.mapped().waiting) told.splice(told.end(), waiting_, at);
  for (const auto& waiting : told) reply(waiting.done, Answer(answer));
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
  WaitingList expired;
  while (!waiting_.empty() && waiting_.front().until <= time) {
    const auto at = waiting_.begin();
    entries_.at(at->key).waiting.pop_front();  // in the same order
    expired.splice(expired.end(), waiting_, at);
  }
  for (const auto& waiting : expired) {
    const auto seconds = static_cast<double>(patience_.count()) / 1'000;
    reply(waiting.done, unavailable(waiting.key.second, fmt::format("no answer within {:g} s", seconds)));
  }
}

/// Due when the first of those who wait has waited long enough; it may have been told by then.
void Resolver::set_timer() {
  if (timer_runs_ || waiting_.empty()) return;
  timer_runs_ = true;
  timer_.expires_at(waiting_.front().until);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    timer_runs_ = false;
    expire();
    set_timer();
  });
}

}  // namespace sternpost::dns

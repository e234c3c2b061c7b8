#include "service/router/inquiries.h"

#include <utility>

namespace sternpost::router {

using route::UserState;

namespace {

/// What a decision that is no ruling wants to know.
Topic topic_of(route::Decision&& decision) {
  if (auto* user = std::get_if<route::NeedUser>(&decision)) return {Topic::Of::user, std::move(user->name)};
  return {Topic::Of::mx, std::move(std::get<route::NeedMx>(decision).domain)};
}

void add(route::Known& known, const Topic& topic, const Finding& finding) {
  if (topic.of == Topic::Of::user) {
    known.users.emplace_back(topic.name, std::get<UserState>(finding));
  } else {
    known.mx.emplace_back(topic.name, std::get<route::MxAnswer>(finding));
  }
}

}  // namespace

Finding unavailable(const Topic& topic, std::string why) {
  if (topic.of == Topic::Of::user) return UserState::unavailable;
  return route::MxAnswer{route::LookupOutcome::unavailable, false, {}, std::move(why)};
}

void Inquiries::ask(Decide decide, Answer answer, SteadyTime now) {
  advance({std::move(decide), std::move(answer), {}}, now);
}

void Inquiries::advance(Question&& question, SteadyTime now) {
  while (true) {
    auto decision = question.decide(question.known);
    if (auto* ruling = std::get_if<route::Ruling>(&decision)) {
      question.answer(std::move(*ruling));
      return;
    }
    auto topic = topic_of(std::move(decision));
    if (const auto* memory = recall(topic, now)) {
      add(question.known, topic, memory->state);
      continue;
    }
    if (waiting_ >= kMaxWaiting) {
      add(question.known, topic, unavailable(topic, "too many questions wait"));
      continue;
    }
    const auto [at, fresh] = lookups_.try_emplace(topic);
    if (fresh) {
      at->second.deadline = now + (topic.of == Topic::Of::user ? kPatience : kPatienceWithDns);
      deadlines_.emplace(at->second.deadline, topic);
      wanted(topic.of).insert(std::move(topic.name));
    }
    at->second.waiting.push_back(std::move(question));
    ++waiting_;
    return;
  }
}

std::vector<std::string> Inquiries::take_wanted(Topic::Of of) {
  const auto names = std::exchange(wanted(of), {});
  return {names.begin(), names.end()};
}

std::vector<std::string> Inquiries::all_wanted(Topic::Of of) const {
  std::vector<std::string> names;
  for (const auto& [topic, lookup] : lookups_) {
    if (topic.of == of) names.push_back(topic.name);
  }
  return names;
}

void Inquiries::learned(const Topic& topic, const Finding& finding, SteadyTime now) {
  if (topic.of == Topic::Of::user) remember(topic.name, std::get<UserState>(finding), now);
  auto lookup = lookups_.extract(topic);
  if (lookup.empty()) return;
  wanted(topic.of).erase(topic.name);
  deadlines_.erase({lookup.mapped().deadline, topic});
  auto& waiting = lookup.mapped().waiting;
  waiting_ -= waiting.size();
  for (auto& question : waiting) {
    add(question.known, topic, finding);
    advance(std::move(question), now);
  }
}

void Inquiries::expire(SteadyTime now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const auto topic = deadlines_.begin()->second;
    learned(topic, unavailable(topic, "no answer in time"), now);
  }
}

std::optional<SteadyTime> Inquiries::next_expiry() const {
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.begin()->first;
}

const Inquiries::Memory* Inquiries::recall(const Topic& topic, SteadyTime now) const {
  if (topic.of != Topic::Of::user) return nullptr;
  const auto at = memory_.find(topic.name);
  return at == memory_.end() || at->second.until <= now ? nullptr : &at->second;
}

void Inquiries::remember(const std::string& name, UserState state, SteadyTime now) {
  if (state == UserState::unavailable) {
    memory_.erase(name);
    return;
  }
  if (memory_.size() >= kMaxRemembered) {
    std::erase_if(memory_, [&](const auto& entry) { return entry.second.until <= now; });
    if (memory_.size() >= kMaxRemembered) memory_.clear();
  }
  memory_[name] = {state, now + (state == UserState::exists ? kPositiveLife : kNegativeLife)};
}

}  // namespace sternpost::router

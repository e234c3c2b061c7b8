#include "service/router/inquiries.h"

#include <utility>

namespace sternpost::router {

using route::UserState;

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
    auto& name = std::get<route::NeedUser>(decision).name;
    if (const auto* memory = recall(name, now)) {
      question.known.emplace_back(std::move(name), memory->state);
      continue;
    }
    if (waiting_ >= kMaxWaiting) {
      question.known.emplace_back(std::move(name), UserState::unavailable);
      continue;
    }
    const auto [at, fresh] = lookups_.try_emplace(name);
    if (fresh) {
      at->second.deadline = now + kPatience;
      wanted_.insert(std::move(name));
    }
    at->second.waiting.push_back(std::move(question));
    ++waiting_;
    return;
  }
}

std::vector<std::string> Inquiries::take_wanted() {
  std::vector<std::string> names(wanted_.begin(), wanted_.end());
  wanted_.clear();
  return names;
}

std::vector<std::string> Inquiries::all_wanted() const {
  std::vector<std::string> names;
  for (const auto& [name, lookup] : lookups_) names.push_back(name);
  return names;
}

void Inquiries::learned(const std::string& name, UserState state, SteadyTime now) {
  remember(name, state, now);
  auto lookup = lookups_.extract(name);
  if (lookup.empty()) return;
  wanted_.erase(name);
  auto& waiting = lookup.mapped().waiting;
  waiting_ -= waiting.size();
  for (auto& question : waiting) {
    question.known.emplace_back(name, state);
    advance(std::move(question), now);
  }
}

void Inquiries::expire(SteadyTime now) {
  std::vector<std::string> late;
  for (const auto& [name, lookup] : lookups_) {
    if (lookup.deadline <= now) late.push_back(name);
  }
  for (const auto& name : late) learned(name, UserState::unavailable, now);
}

std::optional<SteadyTime> Inquiries::next_expiry() const {
  std::optional<SteadyTime> next;
  for (const auto& [name, lookup] : lookups_) {
    if (!next || lookup.deadline < *next) next = lookup.deadline;
  }
  return next;
}

const Inquiries::Memory* Inquiries::recall(const std::string& name, SteadyTime now) const {
  const auto at = memory_.find(name);
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

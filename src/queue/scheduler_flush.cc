// What of Scheduler an administrator asks for: trying at once what waits, and when that would be.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "mail/extension.h"
#include "queue/scheduler.h"

namespace sternpost::queue {
namespace {

/// Whether a site is meant by `name`: all of what it is called, or one of the hosts in it, with or without
/// port and brackets.
bool is_called(std::string_view site, std::string_view name) {
  if (site == name) return true;
  while (!site.empty()) {
    auto word = site.substr(0, site.find(' '));
    site.remove_prefix(std::min(site.size(), word.size() + 1));
    if (word == name) return true;
    word = word.substr(0, word.starts_with('/') ? word.size() : word.rfind(':'));
    if (word == name) return true;
    if (word.starts_with('[') && word.ends_with(']') && word.substr(1, word.size() - 2) == name) return true;
  }
  return false;
}

}  // namespace

/// Recipients that only wait, at any site or at this one.
std::size_t Scheduler::hurry(Entries::iterator at, SiteId only, WallTime now) {
  auto& [id, entry] = *at;
  if (entry.held) return 0;
  entry.tell_after = std::min(entry.tell_after, now);
  std::size_t hurried = 0;
  for (auto& recipient : entry.recipients) {
    if (only != kNoSite && recipient.site != only) continue;
    if (recipient.state == State::parked) ++hurried;
    if (recipient.state != State::waiting) continue;
    recipient.due = now;
    ++hurried;
  }
  start_due(entry, id, now);
  settle(at);
  return hurried;
}

std::optional<std::size_t> Scheduler::flush(QueueId id, WallTime now) {
  const auto at = entries_.find(id);
  if (at == entries_.end()) return std::nullopt;
  for (const auto& recipient : at->second.recipients) {
    if (recipient.site == kNoSite) continue;
    // The first in the rotation is the one that finds out whether the site is up.
    if (recipient.state == State::parked) sites_.bring_forward(recipient.site, id);
    sites_.unblock(recipient.site);
  }
  return hurry(at, kNoSite, now);
}

std::optional<std::size_t> Scheduler::flush_site(std::string_view name, WallTime now) {
  std::optional<std::size_t> hurried;
  const auto folded = mail::fold_case(name);
  for (const auto site : sites_.used()) {
    if (!is_called(sites_.name(site), name) && !is_called(sites_.name(site), folded)) continue;
    hurried = hurried.value_or(0);
    sites_.unblock(site);
    for (auto at = entries_.begin(); at != entries_.end();) {
      const auto next = std::next(at);  // settling may end the entry
      const bool has =
          std::ranges::any_of(at->second.recipients, [&](const Recipient& one) { return one.site == site; });
      if (has) *hurried += hurry(at, site, now);
      at = next;
    }
  }
  return hurried;
}

std::size_t Scheduler::flush_all(WallTime now) {
  for (const auto site : sites_.used()) sites_.unblock(site);
  std::size_t hurried = 0;
  for (auto at = entries_.begin(); at != entries_.end();) {
    const auto next = std::next(at);
    hurried += hurry(at, kNoSite, now);
    at = next;
  }
  return hurried;
}

std::optional<WallTime> Scheduler::next_attempt(QueueId id) const {
  const auto at = entries_.find(id);
  if (at == entries_.end() || at->second.held) return std::nullopt;
  std::optional<WallTime> next;
  for (const auto& recipient : at->second.recipients) {
    auto due = recipient.due;
    if (recipient.state == State::parked) {
      due = std::min(due, sites_.blocked_until(recipient.site));
    } else if (recipient.state != State::waiting) {
      continue;
    }
    if (!next || due < *next) next = due;
  }
  return next;
}

std::string Scheduler::waits_because(QueueId id) const {
  constexpr std::size_t kMost = kMaxBecause / 2;  // of the name, and of what was met with
  const auto at = entries_.find(id);
  if (at == entries_.end() || at->second.held) return {};
  const auto& recipients = at->second.recipients;
  const auto parked = std::ranges::find(recipients, State::parked, &Recipient::state);
  if (parked == recipients.end()) return {};
  return fmt::format("{:.{}} is down: {:.{}}", sites_.name(parked->site), kMost - 10,
                     to_string(sites_.reason(parked->site)), kMost);
}

}  // namespace sternpost::queue

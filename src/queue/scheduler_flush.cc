// What of Scheduler an administrator asks for: trying at once what waits, and when that would be.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

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

/// Recipients that only wait, at any site or at these.
std::size_t Scheduler::hurry(Entries::iterator at, const std::vector<SiteId>* only, WallTime now) {
  auto& [id, entry] = *at;
  std::size_t hurried = 0;
  if (!entry.held) {
    entry.tell_after = std::min(entry.tell_after, now);
    for (auto& recipient : entry.recipients) {
      if (only != nullptr && !std::ranges::binary_search(*only, recipient.site)) continue;
      if (recipient.state == State::parked) ++hurried;
      if (recipient.state != State::waiting) continue;
      recipient.due = now;
      ++hurried;
    }
    start_due(entry, id, now);
  }
  settle(at);
  return hurried;
}

std::optional<std::size_t> Scheduler::flush(QueueId id, WallTime now) {
  const auto at = open(id);
  if (at == entries_.end()) return std::nullopt;
  for (const auto& recipient : at->second.recipients) {
    if (recipient.site == kNoSite) continue;
    // The first in the rotation is the one that finds out whether the site is up.
    if (recipient.state == State::parked) sites_.bring_forward(recipient.site, id);
    sites_.unblock(recipient.site);
  }
  return hurry(at, nullptr, now);
}

std::optional<std::size_t> Scheduler::flush_site(std::string_view name, WallTime now) {
  const auto folded_name = mail::fold_case(name);
  auto meant = sites_.used();
  std::erase_if(meant, [&](SiteId site) {
    return !is_called(sites_.name(site), name) && !is_called(sites_.name(site), folded_name);
  });
  if (meant.empty()) return std::nullopt;
  for (const auto site : meant) sites_.unblock(site);
  return hurry_all(&meant, now);
}

std::size_t Scheduler::flush_all(WallTime now) {
  for (const auto site : sites_.used()) sites_.unblock(site);
  return hurry_all(nullptr, now);
}

/// One after the other, so that few are unfolded at one time.
std::size_t Scheduler::hurry_all(const std::vector<SiteId>* only, WallTime now) {
  std::size_t hurried = 0;
  for (const auto id : with_recipients_at(only)) {
    if (const auto at = open(id); at != entries_.end()) hurried += hurry(at, only, now);
  }
  return hurried;
}

std::vector<QueueId> Scheduler::with_recipients_at(const std::vector<SiteId>* sites) const {
  const auto is_meant = [&](const Entry& entry) {
    return sites == nullptr || std::ranges::any_of(entry.recipients, [&](const Recipient& one) {
             return std::ranges::binary_search(*sites, one.site);
           });
  };
  std::vector<QueueId> found;
  for (const auto& [id, entry] : entries_) {
    if (is_meant(entry)) found.push_back(id);
  }
  Entry unfolded;
  for (const auto& [id, folded] : folded_) {
    if (sites != nullptr) folded.unfold_to(unfolded);
    if (is_meant(unfolded)) found.push_back(id);
  }
  std::ranges::sort(found);  // the oldest first
  return found;
}

std::optional<WallTime> Scheduler::next_attempt(QueueId id) const {
  Entry unfolded;
  const auto* entry = look(id, unfolded);
  if (entry == nullptr || entry->held) return std::nullopt;
  std::optional<WallTime> next;
  for (const auto& recipient : entry->recipients) {
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
  Entry unfolded;
  const auto* entry = look(id, unfolded);
  if (entry == nullptr || entry->held) return {};
  const auto parked = std::ranges::find(entry->recipients, State::parked, &Recipient::state);
  if (parked == entry->recipients.end()) return {};
  return fmt::format("{:.{}} is down: {:.{}}", sites_.name(parked->site), kMost - 10,
                     to_string(sites_.reason(parked->site)), kMost);
}

}  // namespace sternpost::queue

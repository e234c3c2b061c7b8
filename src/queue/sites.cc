#include "queue/sites.h"

#include <algorithm>

namespace sternpost::queue {

void Sites::set_caps(const Caps& caps) {
  caps_ = caps;
  for (SiteId id = 0; id < sites_.size(); ++id) {
    sites_[id].limit.set_cap(caps[static_cast<std::size_t>(sites_[id].agent)]);
    schedule(id);
  }
}

void Sites::clear() {
  *this = Sites(caps_);
}

std::vector<SiteId> Sites::used() const {
  std::vector<SiteId> found;
  for (SiteId id = 0; id < sites_.size(); ++id) {
    if (sites_[id].references > 0) found.push_back(id);
  }
  return found;
}

SiteId Sites::refer(Agent agent, std::string_view name) {
  std::string key(1, static_cast<char>(agent));
  key.append(name);
  auto [at, fresh] = by_name_.try_emplace(std::move(key), kNoSite);
  if (fresh) {
    if (free_.empty()) {
      at->second = static_cast<SiteId>(sites_.size());
      sites_.emplace_back();
    } else {
      at->second = free_.back();
      free_.pop_back();
    }
    auto& site = sites_[at->second];
    site = Site{};
    site.agent = agent;
    site.key = at->first;
    const auto which = static_cast<std::size_t>(agent);
    site.limit = ConcurrencyLimit(kInitial[which], caps_[which]);
  }
  ++sites_[at->second].references;
  return at->second;
}

void Sites::release(SiteId id) {
  auto& site = sites_[id];
  if (--site.references > 0 || site.idle) return;
  site.idle = true;
  idle_.push_back(id);
  retire_idle();
}

void Sites::retire_idle() {
  // A pass over what is there now: sites that are used again leave the list, busy ones go to its end.
  for (auto left = idle_.size(); left > 0 && idle_.size() > kMaxIdle; --left) {
    const SiteId id = idle_.front();
    idle_.pop_front();
    auto& site = sites_[id];
    if (site.references > 0) {
      site.idle = false;
    } else if (site.jobs > 0 || site.listed || !site.rotation.empty()) {
      idle_.push_back(id);
    } else {
      if (site.blocked) blocked_.erase({site.blocked_until, id});
      by_name_.erase(site.key);
      site = Site{};
      free_.push_back(id);
    }
  }
}

void Sites::add_ready(SiteId id, QueueId message, std::uint32_t index) {
  auto& rotation = sites_[id].rotation;
  if (rotation.empty() || rotation.back().id != message) rotation.push_back({message, index, index});
  auto& last = rotation.back();
  last.first = std::min(last.first, index);
  last.last = std::max(last.last, index);
  schedule(id);
}

void Sites::add_ready(SiteId id, const ReadyRecipients& ready) {
  sites_[id].rotation.push_back(ready);
  schedule(id);
}

void Sites::bring_forward(SiteId id, QueueId message) {
  auto& rotation = sites_[id].rotation;
  const auto at = std::ranges::find(rotation, message, &ReadyRecipients::id);
  if (at != rotation.end()) std::rotate(rotation.begin(), at, at + 1);
}

void Sites::schedule(SiteId id) {
  auto& site = sites_[id];
  if (site.listed || site.blocked || site.rotation.empty() || site.jobs >= limit(id)) return;
  site.listed = true;
  runnable_.push_back(id);
}

void Sites::unblock_due(WallTime now) {
  while (!blocked_.empty() && blocked_.begin()->first <= now) {
    unblock(blocked_.begin()->second);
  }
}

std::optional<Sites::Turn> Sites::next_turn(WallTime now) {
  unblock_due(now);
  while (!runnable_.empty()) {
    const SiteId id = runnable_.front();
    runnable_.pop_front();
    auto& site = sites_[id];
    site.listed = false;
    if (site.blocked || site.rotation.empty() || site.jobs >= limit(id)) continue;
    const Turn turn{id, site.rotation.front()};
    site.rotation.pop_front();
    return turn;
  }
  return std::nullopt;
}

std::uint32_t Sites::started(SiteId id) {
  auto& site = sites_[id];
  ++site.jobs;
  schedule(id);
  return site.limit.round();
}

Sites::Turned Sites::ended(SiteId id, std::uint32_t round, JobEnd how, WallTime now) {
  auto& site = sites_[id];
  --site.jobs;
  auto turned = Turned::no;
  switch (how) {
    case JobEnd::done:
    case JobEnd::trouble:
      if (how == JobEnd::done) {
        site.limit.succeeded();
      } else {
        site.limit.had_trouble(round);
      }
      site.next_block = kFirstBlock;
      site.failures = 0;
      site.proven = true;
      if (std::exchange(site.down, false)) turned = Turned::up;
      break;
    case JobEnd::unreachable:
      // Jobs that were under way when the site was found to be down say nothing new.
      if (round != site.limit.round()) break;
      if (++site.failures >= (site.proven ? kFailuresOfAProvenSite : 1) || site.down) turned = Turned::down;
      break;
    case JobEnd::not_handed:
      if (site.blocked) break;
      block(id, now + site.next_block);
      site.next_block = std::min(site.next_block * 2, kLongestBlock);
      break;
  }
  schedule(id);
  return turned;
}

void Sites::take_down(SiteId id, const mail::Reply& reason, WallTime now, WallTime until) {
  auto& site = sites_[id];
  if (!site.down) site.down_since = now;
  site.down = true;
  site.proven = false;
  site.reason = reason;
  site.limit.had_trouble(site.limit.round());
  block(id, until);
}

void Sites::block(SiteId id, WallTime until) {
  auto& site = sites_[id];
  if (site.blocked) blocked_.erase({site.blocked_until, id});
  site.blocked = true;
  site.blocked_until = until;
  blocked_.emplace(until, id);
}

void Sites::unblock(SiteId id) {
  auto& site = sites_[id];
  if (!site.blocked) return;
  blocked_.erase({site.blocked_until, id});
  site.blocked = false;
  schedule(id);
}

void Sites::clock_stepped(Microseconds step) {
  blocked_.clear();
  for (SiteId id = 0; id < sites_.size(); ++id) {
    auto& site = sites_[id];
    site.down_since = site.down_since + step;
    site.blocked_until = site.blocked_until + step;
    if (site.blocked) blocked_.emplace(site.blocked_until, id);
  }
}

std::optional<WallTime> Sites::wake() const {
  if (blocked_.empty()) return std::nullopt;
  return blocked_.begin()->first;
}

}  // namespace sternpost::queue

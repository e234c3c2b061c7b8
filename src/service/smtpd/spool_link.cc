#include "service/smtpd/spool_link.h"

#include <chrono>
#include <utility>
#include <vector>

namespace sternpost::smtpd {
namespace {

using namespace std::chrono_literals;
using namespace spool_intake;

/// Ids at hand right after a lease; more are asked for at half.
constexpr std::uint32_t kIdsAhead = 256;
static_assert(kIdsAhead <= kMaxLease);
constexpr auto kWaitForSpool = 30s;

mail::Reply not_now() {
  return {451, {4, 3, 0}, "The queue is not available now"};
}
Rule away() {
  return {"spool is away", {}, 0};
}

}  // namespace

SpoolLink::SpoolLink(boost::asio::io_context& loop, TrafficCounters& counters, Handlers handlers)
    : handlers_(std::move(handlers)),
      lines_(loop, counters, kMaxFrame,
             {[this](std::uint32_t epoch, FromSpool&& frame) { return on_frame(epoch, std::move(frame)); },
              [this](std::uint32_t epoch, const Error& why) { on_closed(epoch, why); }}) {}

void SpoolLink::connect(UniqueFd socket) {
  lines_.connect(std::move(socket));
  forget_ids();
  ask_for_ids();
  ask_about_commits();
}

void SpoolLink::forget_ids() {
  ids_.clear();
  ids_left_ = 0;
  asked_for_ids_ = false;
}

void SpoolLink::ask_for_ids() {
  if (asked_for_ids_ || ids_left_ > kIdsAhead / 2 || lines_.current() == 0) return;
  asked_for_ids_ = true;
  lines_.send(lines_.current(), Lease{kIdsAhead - ids_left_});
}

std::optional<LeasedId> SpoolLink::take_id() {
  if (ids_.empty()) return std::nullopt;
  auto& lease = ids_.front();
  const LeasedId taken{lease.first, lines_.current()};
  ++lease.first.value;
  if (--lease.count == 0) ids_.pop_front();
  --ids_left_;
  ask_for_ids();
  return taken;
}

bool SpoolLink::has_room(const LeasedId& id) const {
  return !lines_.has(id.epoch) || flow_.has_room(id.id);
}

std::optional<Rule> SpoolLink::lost(const LeasedId& id) const {
  if (!lines_.has(id.epoch)) return away();
  if (flow_.given_up(id.id)) return Rule{"spool takes no content", {}, 0};
  return std::nullopt;
}

void SpoolLink::send(const LeasedId& id, const Piece& piece) {
  if (lost(id)) return;
  lines_.send(id.epoch, piece);
  flow_.piece_sent(id, piece.bytes.size(), std::chrono::steady_clock::now());
}

void SpoolLink::abandon(const LeasedId& id) {
  if (!lost(id)) lines_.send(id.epoch, Abandon{id.id});
  flow_.forget(id.id);
  handlers_.on_room();
}

void SpoolLink::commit(std::uint32_t epoch, const Commit& commit, Sent message) {
  const auto on_the_way = flow_.commit_sent(commit.id, lines_.send(epoch, commit));
  outstanding_.emplace(commit.id, Outstanding{std::move(message), epoch, {}, on_the_way});
}

Result<void> SpoolLink::on_frame(std::uint32_t epoch, FromSpool&& frame) {
  return std::visit(Overloaded{
                        [&](const Leased& leased) { return on_leased(epoch, leased); },
                        [&](const Committed& committed) -> Result<void> {
                          for (const auto id : committed.ids) settle(id, true, {}, {});
                          return {};
                        },
                        [&](const NotCommitted& refused) -> Result<void> {
                          const bool sound = refused.reply.code >= 400 && refused.reply.code <= 599;
                          settle(refused.id, false, sound ? refused.reply : not_now(), {"spool", {}, 0});
                          return {};
                        },
                        [&](const Pressure& pressure) -> Result<void> {
                          if (epoch == lines_.current()) handlers_.on_pressure(pressure);
                          return {};
                        },
                        [&](const CommitState& state) -> Result<void> {
                          settle(state.id, state.committed, not_now(), away());
                          return {};
                        },
                        [&](const Taken& taken) { return on_taken(taken); },
                    },
                    frame);
}

Result<void> SpoolLink::on_leased(std::uint32_t epoch, const Leased& leased) {
  if (leased.first.value == 0 || leased.count == 0 || leased.count > kMaxLease) {
    return fail(ErrorClass::peer, "a lease of nothing, or of too much");
  }
  if (epoch != lines_.current()) return {};
  asked_for_ids_ = false;
  ids_.push_back(leased);
  ids_left_ += leased.count;
  handlers_.on_ids();
  return {};
}

Result<void> SpoolLink::on_taken(const Taken& taken) {
  auto sound = flow_.taken(taken.id, taken.bytes, std::chrono::steady_clock::now());
  if (sound) handlers_.on_room();
  return sound;
}

void SpoolLink::settle(QueueId id, bool committed, const mail::Reply& reply, const Rule& rule) {
  auto node = outstanding_.extract(id);
  if (node.empty()) return;
  flow_.release(node.mapped().on_the_way);
  handlers_.on_room();
  if (committed) {
    handlers_.on_committed(std::move(node.mapped().message));
  } else {
    handlers_.on_not_committed(std::move(node.mapped().message), reply, rule);
  }
}

void SpoolLink::on_closed(std::uint32_t epoch, const Error& why) {
  handlers_.on_closed(why, lines_.current() == 0);
  const auto now = std::chrono::steady_clock::now();
  for (auto& [id, outstanding] : outstanding_) {
    if (outstanding.epoch != epoch) continue;
    outstanding.epoch = 0;
    outstanding.away_since = now;
    flow_.release(std::exchange(outstanding.on_the_way, 0));
  }
  flow_.channel_closed(epoch);
  handlers_.on_room();
  if (epoch > lines_.current()) {
    forget_ids();
    ask_for_ids();
  }
  ask_about_commits();
}

void SpoolLink::ask_about_commits() {
  const auto epoch = lines_.current();
  if (epoch == 0) return;
  for (auto& [id, outstanding] : outstanding_) {
    if (outstanding.epoch != 0) continue;
    outstanding.epoch = epoch;
    lines_.send(epoch, IsCommitted{id});
  }
}

void SpoolLink::sweep(SteadyTime now) {
  std::vector<Sent> late;
  std::erase_if(outstanding_, [&](auto& entry) {
    auto& outstanding = entry.second;
    const bool too_late = outstanding.epoch == 0 && now - outstanding.away_since >= kWaitForSpool;
    if (too_late) late.push_back(std::move(outstanding.message));
    return too_late;
  });
  for (auto& message : late) handlers_.on_not_committed(std::move(message), not_now(), away());
  for (const auto& id : flow_.give_up(now)) {
    lines_.send(id.epoch, Abandon{id.id});
    handlers_.on_room();
  }
}

}  // namespace sternpost::smtpd

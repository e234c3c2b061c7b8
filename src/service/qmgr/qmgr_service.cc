#include "service/qmgr/qmgr_service.h"

#include <algorithm>
#include <utility>

#include "service/qmgr/convert.h"

namespace sternpost::qmgr {
namespace {

/// The steady clock stands still while the machine sleeps and the boot clock does not, so no wait is longer.
constexpr Microseconds kLongestWait = std::chrono::minutes(10);

Result<config::QmgrSlice> read_slice(std::string_view encoded) {
  auto slice = decode<config::QmgrSlice>(encoded);
  if (!slice) return fail(ErrorClass::internal, "the configuration slice is malformed");
  return std::move(*slice);
}

}  // namespace

Result<std::unique_ptr<Service>> QmgrService::make(ServiceContext&& context) {
  auto slice = read_slice(context.slice);
  if (!slice) return fail_with(std::move(slice));
  return std::make_unique<QmgrService>(std::move(context), std::move(*slice));
}

QmgrService::QmgrService(ServiceContext&& context, config::QmgrSlice slice)
    : context_(std::move(context)),
      slice_(std::move(slice)),
      scheduler_(to_settings(slice_)),
      timer_(context_.loop),
      act_at_end_(context_.loop, [this] { act(); }) {}

void QmgrService::peer(Compartment row, std::uint32_t /*instance*/, UniqueFd socket) {
  if (draining_) return;
  if (row == Compartment::spool) {
    connect_spool(std::move(socket));
  } else if (row == Compartment::router) {
    connect_router(std::move(socket));
  } else if (row == Compartment::admin) {
    connect_admin(std::move(socket));
  }
}

void QmgrService::connect_spool(UniqueFd socket) {
  spool_ = std::make_unique<SpoolChannel>(
      context_.loop, std::move(socket), FrameLimits{.max_frame = spool_qmgr::kMaxFrame}, context_.traffic,
      SpoolChannel::Handlers{
          .on_frame = [this](spool_qmgr::FromSpool&& frame) { return from_spool(std::move(frame)); },
          .on_closed =
              [this](const Error& why) {
                context_.channel_closed(Compartment::spool, why, true);
                spool_.reset();
                scheduler_.spool_lost();
              }});
  scheduler_.spool_connected();
  if (const auto& pressure = scheduler_.pressure(); pressure.level != queue::PressureLevel::none) {
    spool_->send(spool_qmgr::Pressure{pressure.level, pressure.cause});
  }
  act_at_end_.schedule();
}

void QmgrService::connect_router(UniqueFd socket) {
  router_ = std::make_unique<RouterChannel>(
      context_.loop, std::move(socket), FrameLimits{.max_frame = router::kMaxFrame}, context_.traffic,
      RouterChannel::Handlers{.on_frame = [this](router::ToQmgr&& frame) -> Result<void> {
                                auto& routed = std::get<router::Routed>(frame);
                                scheduler_.routed(routed.id, routed.generation,
                                                  to_answers(std::move(routed.recipients)), read_clock());
                                act_at_end_.schedule();
                                return {};
                              },
                              .on_closed =
                                  [this](const Error& why) {
                                    context_.channel_closed(Compartment::router, why, true);
                                    router_.reset();
                                    scheduler_.router_lost();
                                  }});
  scheduler_.router_connected();
  act_at_end_.schedule();
}

void QmgrService::connect_admin(UniqueFd socket) {
  const auto at = admins_.emplace(admins_.end());
  *at = std::make_unique<AdminChannel>(
      context_.loop, std::move(socket), FrameLimits{.max_frame = kMaxFrame}, context_.traffic,
      AdminChannel::Handlers{.on_frame = [this, at](ToQmgr&& frame) { return from_admin(**at, frame); },
                             .on_closed =
                                 [this, at](const Error& why) {
                                   admins_.erase(at);
                                   context_.channel_closed(Compartment::admin, why, false);
                                 }});
}

Result<void> QmgrService::from_admin(AdminChannel& admin, const ToQmgr& frame) {
  return std::visit(Overloaded{[&](const QueryCounts& query) -> Result<void> {
                                 admin.send(to_counts(scheduler_.counts(), query.request));
                                 return {};
                               },
                               [&](const Flush& wish) -> Result<void> {
                                 if (wish.site.size() > kLongestSite)
                                   return fail(ErrorClass::peer, "a site without end");
                                 const auto flushed = flush(wish);
                                 admin.send(Flushed{wish.request, flushed.has_value(), flushed.value_or(0)});
                                 return {};
                               },
                               [&](const AskNext& question) -> Result<void> {
                                 if (question.ids.size() > kMostAsked)
                                   return fail(ErrorClass::peer, "a question about too many");
                                 NextAttempts answer{question.request, {}};
                                 for (const auto id : question.ids) {
                                   answer.messages.push_back(
                                       {id, scheduler_.next_attempt(id), scheduler_.waits_because(id)});
                                 }
                                 admin.send(answer);
                                 return {};
                               }},
                    frame);
}

std::optional<std::size_t> QmgrService::flush(const Flush& wish) {
  const auto now = read_clock();
  act_at_end_.schedule();
  if (wish.id != QueueId{}) return scheduler_.flush(wish.id, now);
  if (!wish.site.empty()) return scheduler_.flush_site(wish.site, now);
  return scheduler_.flush_all(now);
}

Result<void> QmgrService::from_spool(spool_qmgr::FromSpool&& frame) {
  const auto now = read_clock();
  act_at_end_.schedule();
  return std::visit(
      Overloaded{[&](spool_qmgr::Pulled& pulled) {
                   return scheduler_.pulled(to_messages(std::move(pulled.messages)), pulled.position, now);
                 },
                 [&](spool_qmgr::Recorded& recorded) -> Result<void> {
                   for (const auto& message : recorded.messages) {
                     scheduler_.recorded(message.id, message.recipients, now);
                   }
                   return {};
                 },
                 [&](spool_qmgr::Addresses& addresses) -> Result<void> {
                   for (auto& message : addresses.messages) {
                     scheduler_.addressed(message.id, to_addresses(std::move(message.recipients)), now);
                   }
                   return {};
                 },
                 [&](spool_qmgr::NotHanded& not_handed) -> Result<void> {
                   scheduler_.not_handed(not_handed.id, not_handed.recipients, now);
                   return {};
                 },
                 [&](spool_qmgr::HoldChanged& changed) -> Result<void> {
                   scheduler_.hold_changed(changed.id, changed.held, now);
                   return {};
                 },
                 [&](spool_qmgr::Told& told) -> Result<void> {
                   scheduler_.told(told.id, told.recipients, told.warned);
                   return {};
                 },
                 [&](const spool_qmgr::Load& load) -> Result<void> {
                   scheduler_.loaded(
                       {load.messages, load.memory_bytes, load.disk_bytes, load.max_disk_bytes});
                   return {};
                 },
                 [&](spool_qmgr::NotTold& not_told) -> Result<void> {
                   scheduler_.not_told(not_told.id, now);
                   return {};
                 }},
      frame);
}

WallTime QmgrService::read_clock() {
  const auto now = clock_.now();
  if (const auto step = clock_.take_step(); step != Microseconds(0)) {
    scheduler_.clock_stepped(step, now);
    act_at_end_.schedule();
  }
  return now;
}

void QmgrService::act() {
  if (draining_) return;
  auto actions = scheduler_.take(read_clock());
  if (router_) {
    for (auto& question : actions.questions) router_->send(to_question(std::move(question)));
  }
  if (spool_) {
    for (auto& decided : actions.decisions) {
      for (const auto& frame : to_decided(std::move(decided))) spool_->send(frame);
    }
    for (const auto& frame : to_lookups(actions.lookups)) spool_->send(frame);
    orders_ += actions.orders.size();
    for (const auto& frame : to_orders(std::move(actions.orders))) spool_->send(frame);
    for (auto& tell : actions.tells) spool_->send(to_tell(std::move(tell)));
    if (actions.pressure)
      spool_->send(spool_qmgr::Pressure{actions.pressure->level, actions.pressure->cause});
    if (actions.pull) spool_->send(spool_qmgr::Pull{actions.pull->after, actions.pull->max});
  }
  if (actions.pressure) context_.records.record(to_record(*actions.pressure));
  for (auto& notice : actions.notices) {
    context_.records.record(to_record(std::move(notice)));
  }
  arm(actions.wake);
}

void QmgrService::arm(std::optional<WallTime> wake) {
  if (!wake) {
    timer_.cancel();
    return;
  }
  const auto wait = *wake - read_clock();
  if (wait <= Microseconds(0)) {
    act_at_end_.schedule();
    return;
  }
  timer_.expires_after(std::min(wait, kLongestWait));
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) act_at_end_.schedule();
  });
}

void QmgrService::drain(bool /*urgent*/) {
  // Nothing is held here that the spool does not hold; the successor pulls it.
  draining_ = true;
  timer_.cancel();
  spool_.reset();
  router_.reset();
  admins_.clear();
  context_.exit();
}

Result<void> QmgrService::new_slice(std::string_view encoded, bool commit) {
  auto slice = read_slice(encoded);
  if (!slice) return fail_with(std::move(slice));
  if (!commit) return {};
  slice_ = std::move(*slice);
  scheduler_.set(to_settings(slice_));
  act_at_end_.schedule();
  return {};
}

std::vector<control::Counter> QmgrService::counters() {
  const auto counts = scheduler_.counts();
  return {{"orders", orders_},       {"routing", counts.routing},   {"ready", counts.ready},
          {"active", counts.active}, {"deferred", counts.deferred}, {"held", counts.held},
          {"owing", counts.owing}};
}

}  // namespace sternpost::qmgr

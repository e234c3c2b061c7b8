#include "service/virtual/virtual_service.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "service/virtual/records.h"
#include "service/virtual/settings.h"

namespace sternpost::virtual_mailbox {

Result<std::unique_ptr<Service>> VirtualService::make(ServiceContext&& context) {
  const auto slice = decode<config::VirtualSlice>(context.slice);
  if (!slice) return fail(ErrorClass::internal, "the configuration slice is malformed");
  if (context.folders.empty()) return fail(ErrorClass::internal, "the mail folder is missing");
  return std::make_unique<VirtualService>(std::move(context), *slice);
}

VirtualService::VirtualService(ServiceContext&& context, const config::VirtualSlice& slice)
    : context_(std::move(context)),
      deliverer_(files_, context_.folders.front().get(), slice.hostname),
      desk_(delivery::MailboxMap(to_settings(slice)), std::max(slice.max_batch, 1U)),
      work_at_end_(context_.loop, [this] { work(); }),
      drain_timer_(context_.loop),
      gather_timer_(context_.loop) {}

void VirtualService::peer(Compartment row, std::uint32_t /*instance*/, UniqueFd socket) {
  if (row != Compartment::spool) return;
  spool_ = std::make_unique<SpoolChannel>(
      context_.loop, std::move(socket), FrameLimits{.max_frame = spool_agent::kMaxFrame}, context_.traffic,
      SpoolChannel::Handlers{
          .on_frame = [this](spool_agent::ToAgent&& frame) { return from_spool(std::move(frame)); },
          .on_closed =
              [this](const Error& why) {
                context_.channel_closed(Compartment::spool, why, true);
                spool_.reset();
              }});
  for (const auto& in_hand : desk_.desk().announce()) spool_->send(in_hand);
  for (const auto& outcome : desk_.desk().unacknowledged()) spool_->send(outcome);
}

Result<void> VirtualService::from_spool(spool_agent::ToAgent&& frame) {
  auto& desk = desk_.desk();
  return std::visit(Overloaded{[&](spool_agent::Piece& piece) { return desk.take_piece(std::move(piece)); },
                               [&](spool_agent::Job& job) {
                                 work_at_end_.schedule();
                                 return desk.take_job(std::move(job));
                               },
                               [&](spool_agent::Recorded& recorded) { return take_recorded(recorded); }},
                    frame);
}

Result<void> VirtualService::take_recorded(const spool_agent::Recorded& recorded) {
  auto jobs = desk_.recorded(recorded.jobs);
  if (!jobs) return fail_with(std::move(jobs));
  for (const auto& job : *jobs) {
    for (auto& record : to_records(job)) context_.records.record(std::move(record));
  }
  exit_if_drained();
  return {};
}

void VirtualService::work() {
  if (gathering_ || !desk_.has_work()) return;
  ++batches_;
  const auto before = std::chrono::steady_clock::now();
  const auto files_before = files_delivered_;
  auto deliver = [this](std::span<const delivery::Delivery> batch) {
    files_delivered_ += batch.size();
    return deliverer_.deliver(batch);
  };
  const auto worked = desk_.work(deliver, wall_now());
  if (spool_) {
    for (const auto& outcome : worked.outcomes) spool_->send(outcome);
    for (const auto& unreadable : worked.unreadable) spool_->send(unreadable);
  }
  if (desk_.has_work()) {
    work_at_end_.schedule();
  } else {
    gather(gathering_after(files_delivered_ - files_before, std::chrono::steady_clock::now() - before));
  }
  exit_if_drained();
}

void VirtualService::gather(Duration time) {
  if (time == Duration::zero()) return;
  gathering_ = true;
  gather_timer_.expires_after(time);
  gather_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    gathering_ = false;
    work();
  });
}

void VirtualService::drain(bool /*urgent*/) {
  draining_ = true;
  exit_if_drained();
  drain_timer_.expires_after(kDrainPatience);
  drain_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) context_.exit();
  });
}

void VirtualService::exit_if_drained() {
  if (draining_ && desk_.idle()) context_.exit();
}

std::vector<control::Counter> VirtualService::counters() {
  return {{"batches", batches_}, {"files", files_delivered_}};
}

}  // namespace sternpost::virtual_mailbox

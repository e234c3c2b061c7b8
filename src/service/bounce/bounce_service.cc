#include "service/bounce/bounce_service.h"

#include <utility>

#include "service/bounce/notice_writer.h"

namespace sternpost::bounce {

Result<std::unique_ptr<Service>> BounceService::make(ServiceContext&& context) {
  auto slice = decode<config::BounceSlice>(context.slice);
  if (!slice) return fail(ErrorClass::internal, "the configuration slice is malformed");
  return std::make_unique<BounceService>(std::move(context), std::move(*slice));
}

BounceService::BounceService(ServiceContext&& context, config::BounceSlice slice)
    : context_(std::move(context)), slice_(std::move(slice)) {}

void BounceService::peer(Compartment row, std::uint32_t /*instance*/, UniqueFd socket) {
  if (row != Compartment::spool) return;
  spool_ = std::make_unique<SpoolChannel>(
      context_.loop, std::move(socket), FrameLimits{.max_frame = spool_notice::kMaxFrame}, context_.traffic,
      SpoolChannel::Handlers{.on_frame = [this](spool_notice::ToBounce&& frame) -> Result<void> {
                               work(std::move(std::get<spool_notice::Job>(frame)));
                               return {};
                             },
                             .on_closed =
                                 [this](const Error& why) {
                                   context_.channel_closed(Compartment::spool, why, true);
                                   spool_.reset();
                                 }});
}

void BounceService::work(spool_notice::Job&& job) {
  const auto answered = answer(std::move(job), slice_, wall_now());
  ++(std::holds_alternative<spool_notice::Written>(answered) ? written_ : nobody_);
  std::visit([this](const auto& frame) { spool_->send(frame); }, answered);
}

void BounceService::drain(bool /*urgent*/) {
  // Every job was answered when it came; what spool sends from now on goes to the successor.
  context_.exit();
}

std::vector<control::Counter> BounceService::counters() {
  return {{"written", written_}, {"nobody", nobody_}};
}

}  // namespace sternpost::bounce

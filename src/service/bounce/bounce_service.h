// The shell of bounce: spool's channel around answer().
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "config/slices.h"
#include "runtime/channel/channel.h"
#include "runtime/service.h"
#include "service/spool/notice_protocol.h"

namespace sternpost::bounce {

class BounceService final : public Service {
 public:
  static Result<std::unique_ptr<Service>> make(ServiceContext&& context);

  BounceService(ServiceContext&& context, config::BounceSlice slice);

  void peer(Compartment row, std::uint32_t instance, UniqueFd socket) override;
  void drain(bool urgent) override;
  std::vector<control::Counter> counters() override;

 private:
  using SpoolChannel = Channel<spool_notice::ToBounce, spool_notice::FromBounce>;

  void work(spool_notice::Job&& job);

  ServiceContext context_;
  config::BounceSlice slice_;
  std::unique_ptr<SpoolChannel> spool_;
  std::uint64_t written_ = 0;
  std::uint64_t nobody_ = 0;
};

}  // namespace sternpost::bounce

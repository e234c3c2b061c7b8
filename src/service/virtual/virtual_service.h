// The shell of the agent virtual: spool's channel, the mail folder and records around JobDesk and Deliverer.
#pragma once

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "config/slices.h"
#include "delivery/deliverer.h"
#include "delivery/kernel_files.h"
#include "runtime/agent/agent_protocol.h"
#include "runtime/channel/channel.h"
#include "runtime/channel/end_of_turn.h"
#include "runtime/service.h"
#include "service/virtual/job_desk.h"

namespace sternpost::virtual_mailbox {

/// Delivery blocks the loop. Meanwhile jobs gather in the channel; a later turn takes them all, as the next
/// batch. After a batch of several more are waited for, as long as that took: two syncs serve twice as many,
/// and what waits was acknowledged long ago. One that comes alone is delivered at once, and so is what a full
/// batch left over.
class VirtualService final : public Service {
 public:
  /// How long a draining agent goes on with the jobs that it has, and waits for the acknowledgement of their
  /// outcomes. What is left is handed to its successor.
  static constexpr std::chrono::seconds kDrainPatience{10};

  using Duration = std::chrono::steady_clock::duration;
  /// Of a disk that is slow, no more is waited for.
  static constexpr Duration kMostGathering = std::chrono::milliseconds(10);
  /// How long jobs gather after a batch of so many files, which took so long.
  static constexpr Duration gathering_after(std::uint64_t files, Duration took) {
    return files > 1 ? std::min(took, kMostGathering) : Duration::zero();
  }

  static Result<std::unique_ptr<Service>> make(ServiceContext&& context);

  VirtualService(ServiceContext&& context, const config::VirtualSlice& slice);

  void peer(Compartment row, std::uint32_t instance, UniqueFd socket) override;
  void drain(bool urgent) override;
  std::vector<control::Counter> counters() override;

 private:
  using SpoolChannel = Channel<spool_agent::ToAgent, spool_agent::FromAgent>;

  Result<void> from_spool(spool_agent::ToAgent&& frame);
  Result<void> take_recorded(const spool_agent::Recorded& recorded);
  void work();
  void gather(Duration time);
  void exit_if_drained();

  ServiceContext context_;
  delivery::KernelFiles files_;
  delivery::Deliverer deliverer_;
  JobDesk desk_;
  std::unique_ptr<SpoolChannel> spool_;
  EndOfTurn work_at_end_;
  boost::asio::steady_timer drain_timer_;
  boost::asio::steady_timer gather_timer_;
  bool gathering_ = false;
  bool draining_ = false;
  std::uint64_t batches_ = 0;
  std::uint64_t files_delivered_ = 0;
};

}  // namespace sternpost::virtual_mailbox

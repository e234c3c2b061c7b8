// The shell of the agent virtual: spool's channel, the mail folder and records around JobDesk and Deliverer.
#pragma once

#include <boost/asio/steady_timer.hpp>
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

/// Delivery blocks the loop. Meanwhile jobs gather in the channel; the next turn takes them all, as the next
/// batch.
class VirtualService final : public Service {
 public:
  /// How long a draining agent goes on with the jobs that it has, and waits for the acknowledgement of their
  /// outcomes. What is left is handed to its successor.
  static constexpr std::chrono::seconds kDrainPatience{10};

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
  void exit_if_drained();

  ServiceContext context_;
  delivery::KernelFiles files_;
  delivery::Deliverer deliverer_;
  JobDesk desk_;
  std::unique_ptr<SpoolChannel> spool_;
  EndOfTurn work_at_end_;
  boost::asio::steady_timer drain_timer_;
  bool draining_ = false;
  std::uint64_t batches_ = 0;
  std::uint64_t files_delivered_ = 0;
};

}  // namespace sternpost::virtual_mailbox

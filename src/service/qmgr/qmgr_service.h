// The queue manager's shell: channels, timer and records around queue::Scheduler.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <list>
#include <memory>
#include <string_view>
#include <vector>

#include "config/slices.h"
#include "queue/scheduler.h"
#include "runtime/channel/channel.h"
#include "runtime/channel/end_of_turn.h"
#include "runtime/service.h"
#include "service/qmgr/boot_clock.h"
#include "service/qmgr/protocol.h"
#include "service/router/protocol.h"
#include "service/spool/qmgr_protocol.h"

namespace sternpost::qmgr {

class QmgrService final : public Service {
 public:
  static Result<std::unique_ptr<Service>> make(ServiceContext&& context);

  QmgrService(ServiceContext&& context, config::QmgrSlice slice);

  void peer(Compartment row, std::uint32_t instance, UniqueFd socket) override;
  void drain(bool urgent) override;
  Result<void> new_slice(std::string_view encoded, bool commit) override;
  std::vector<control::Counter> counters() override;

 private:
  using SpoolChannel = Channel<spool_qmgr::FromSpool, spool_qmgr::ToSpool>;
  using RouterChannel = Channel<router::ToQmgr, router::FromQmgr>;
  using AdminChannel = Channel<ToQmgr, FromQmgr>;

  void connect_spool(UniqueFd socket);
  void connect_router(UniqueFd socket);
  void connect_admin(UniqueFd socket);
  Result<void> from_admin(AdminChannel& admin, const ToQmgr& frame);
  std::optional<std::size_t> flush(const Flush& wish);
  Result<void> from_spool(spool_qmgr::FromSpool&& frame);
  /// All that the scheduler is told comes after it knows by how much the clock was set.
  WallTime read_clock();
  /// Asks the scheduler what to do and does it: once for each turn of the loop that brought events.
  void act();
  void arm(std::optional<WallTime> wake);

  ServiceContext context_;
  config::QmgrSlice slice_;
  BootClock clock_;
  queue::Scheduler scheduler_;
  std::unique_ptr<SpoolChannel> spool_;
  std::unique_ptr<RouterChannel> router_;
  std::list<std::unique_ptr<AdminChannel>> admins_;
  boost::asio::steady_timer timer_;
  EndOfTurn act_at_end_;
  bool draining_ = false;
  std::uint64_t orders_ = 0;
};

}  // namespace sternpost::qmgr

// The way of records from one process to log: bounded, never blocking, drops counted.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <vector>

#include "base/time.h"
#include "runtime/channel/channel.h"
#include "runtime/log_protocol.h"
#include "runtime/service.h"

namespace sternpost {

/// Gathers records for up to kCompany and sends them together: log wakes up for many, and a busy process pays
/// for one frame instead of one for each message. So the records of different processes may reach log out of
/// order by that much, and a process that is killed takes its last ones with it. Where log is away or slow,
/// up to kMaxGathered records wait; further ones are dropped and the next frame says how many.
class RecordChannel final : public RecordSink {
 public:
  static constexpr Milliseconds kCompany{10};
  static constexpr std::size_t kMaxGathered = 4096;
  static constexpr std::size_t kMaxUnsent = 4UL << 20U;

  RecordChannel(boost::asio::io_context& loop, TrafficCounters& counters, Compartment self);

  void record(Record record) override;

  /// A fresh channel to log; it replaces the one before.
  void connect(UniqueFd socket);

  /// Whether everything has been handed to the kernel, or nobody is there to take it.
  [[nodiscard]] bool idle() const;

 private:
  void send_soon();
  void send_gathered();

  boost::asio::io_context& loop_;
  TrafficCounters& counters_;
  Compartment self_;
  boost::asio::steady_timer company_;
  bool waiting_for_company_ = false;
  std::unique_ptr<Channel<log_channel::FromLog, log_channel::ToLog>> channel_;
  log_channel::Records gathered_;
};

}  // namespace sternpost

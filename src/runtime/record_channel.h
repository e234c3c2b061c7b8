// The way of records from one process to log: bounded, never blocking, drops counted.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <vector>

#include "runtime/channel/channel.h"
#include "runtime/channel/end_of_turn.h"
#include "runtime/log_protocol.h"
#include "runtime/service.h"

namespace sternpost {

/// Gathers records during a turn of the loop and sends them together. Where log is away or slow, up to
/// kMaxGathered records wait; further ones are dropped and the next frame says how many.
class RecordChannel final : public RecordSink {
 public:
  static constexpr std::size_t kMaxGathered = 4096;
  static constexpr std::size_t kMaxUnsent = 4UL << 20U;

  RecordChannel(boost::asio::io_context& loop, TrafficCounters& counters, Compartment self);

  void record(Record record) override;

  /// A fresh channel to log; it replaces the one before.
  void connect(UniqueFd socket);

  /// Whether everything has been handed to the kernel, or nobody is there to take it.
  [[nodiscard]] bool idle() const;

 private:
  void send_gathered();

  boost::asio::io_context& loop_;
  TrafficCounters& counters_;
  Compartment self_;
  EndOfTurn send_at_end_;
  std::unique_ptr<Channel<log_channel::FromLog, log_channel::ToLog>> channel_;
  log_channel::Records gathered_;
};

}  // namespace sternpost

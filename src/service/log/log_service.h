// The log compartment: takes records from all, writes them once a turn, and never makes anyone wait.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "runtime/channel/channel.h"
#include "runtime/channel/end_of_turn.h"
#include "runtime/log_protocol.h"
#include "runtime/service.h"
#include "service/log/record_writer.h"

namespace sternpost::logging {

class LogService final : public Service {
 public:
  /// `context.folders` holds the log folder and nothing else.
  LogService(ServiceContext&& context, const config::LogSlice& slice);

  void peer(Compartment row, std::uint32_t instance, UniqueFd socket) override;
  /// Takes what is under way until all peers have closed, or a short grace is over.
  void drain(bool urgent) override;
  Result<void> new_slice(std::string_view bytes, bool commit) override;
  std::vector<control::Counter> counters() override;

 private:
  using RecordsChannel = Channel<log_channel::ToLog, log_channel::FromLog>;

  void take(Compartment row, log_channel::Records&& records);
  void closed(std::uint64_t number, Compartment row, const Error& why);
  void flush();
  void retry_later();
  void finish();

  ServiceContext context_;
  RecordWriter writer_;
  EndOfTurn flush_at_end_;
  boost::asio::steady_timer retry_timer_;
  boost::asio::steady_timer drain_timer_;
  bool retrying_ = false;
  bool draining_ = false;
  std::uint64_t next_number_ = 0;
  std::map<std::uint64_t, std::unique_ptr<RecordsChannel>> channels_;
  std::uint64_t dropped_by_peers_ = 0;
};

}  // namespace sternpost::logging

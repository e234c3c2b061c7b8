#include "service/log/log_service.h"

#include <fmt/format.h>

#include <chrono>

namespace sternpost::logging {
namespace {

constexpr Seconds kRetry{1};
constexpr Milliseconds kDrainGrace{250};

}  // namespace

LogService::LogService(ServiceContext&& context, const config::LogSlice& slice)
    : context_(std::move(context)),
      writer_(context_.folders[0].get(), slice),
      flush_at_end_(context_.loop, [this] { flush(); }),
      retry_timer_(context_.loop),
      drain_timer_(context_.loop) {}

void LogService::peer(Compartment row, std::uint32_t, UniqueFd socket) {
  const auto number = next_number_++;
  channels_[number] = std::make_unique<RecordsChannel>(
      context_.loop, std::move(socket), FrameLimits{.max_frame = log_channel::kMaxFrame}, context_.traffic,
      RecordsChannel::Handlers{[this, row](log_channel::ToLog&& frame) -> Result<void> {
                                 take(row, std::move(std::get<log_channel::Records>(frame)));
                                 return {};
                               },
                               [this, number, row](const Error& why) { closed(number, row, why); }});
}

void LogService::take(Compartment row, log_channel::Records&& records) {
  if (records.dropped != 0) {
    dropped_by_peers_ += records.dropped;
    Record lost;
    lost.at = wall_now();
    lost.by = row;
    lost.decision = Decision::dropped;
    lost.facts = {{"records", fmt::format("{}", records.dropped)}};
    lost.outcome = "records were lost because log did not take them in time";
    writer_.write(lost);
  }
  for (auto& record : records.records) {
    record.by = row;  // a compartment speaks for itself only
    writer_.write(record);
  }
  flush_at_end_.schedule();
}

void LogService::closed(std::uint64_t number, Compartment row, const Error& why) {
  if (why.what_to_do == ErrorClass::peer) {
    Record violation;
    violation.at = wall_now();
    violation.by = Compartment::log;
    violation.decision = Decision::violation;
    violation.facts = {{"peer", std::string(to_string(row))}};
    violation.outcome = why.text;
    writer_.write(violation);
    flush_at_end_.schedule();
  }
  channels_.erase(number);
  if (draining_ && channels_.empty()) finish();
}

void LogService::flush() {
  if (retrying_) return;
  if (!writer_.flush(wall_now())) retry_later();
}

/// A full disk is asked again once a second, not at every record.
void LogService::retry_later() {
  retrying_ = true;
  retry_timer_.expires_after(kRetry);
  retry_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    retrying_ = false;
    flush();
  });
}

void LogService::drain(bool) {
  draining_ = true;
  if (channels_.empty()) return finish();
  drain_timer_.expires_after(kDrainGrace);
  drain_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) finish();
  });
}

void LogService::finish() {
  drain_timer_.cancel();
  retry_timer_.cancel();
  (void)writer_.flush(wall_now());  // the last try: there is nobody left to tell
  context_.exit();
}

Result<void> LogService::new_slice(std::string_view bytes, bool commit) {
  const auto slice = decode<config::LogSlice>(bytes);
  if (!slice) return fail(ErrorClass::internal, "the slice for log is malformed");
  if (commit) writer_.set_limits(*slice);
  return {};
}

std::vector<control::Counter> LogService::counters() {
  auto all = writer_.counters();
  all.push_back({"records_dropped_by_peers", dropped_by_peers_});
  return all;
}

}  // namespace sternpost::logging

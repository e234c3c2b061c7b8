#include "runtime/record_channel.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace sternpost {
namespace {

/// Frames are bounded; this many records of ordinary size fit one with room to spare.
constexpr std::size_t kRecordsPerFrame = 64;
/// Text from outside is cut before it is recorded: a record's size is ours to bound, not a client's.
constexpr std::size_t kMaxText = 1024;
constexpr std::size_t kMaxFacts = 32;

void cut(std::string& text) {
  if (text.size() > kMaxText) text.resize(kMaxText);
}

void bound(Record& record) {
  for (auto* text : {&record.session, &record.client, &record.sender, &record.recipient, &record.rule.name,
                     &record.rule.file, &record.outcome}) {
    cut(*text);
  }
  if (record.facts.size() > kMaxFacts) record.facts.resize(kMaxFacts);
  for (auto& fact : record.facts) {
    cut(fact.name);
    cut(fact.value);
  }
}

}  // namespace

RecordChannel::RecordChannel(boost::asio::io_context& loop, TrafficCounters& counters, Compartment self)
    : loop_(loop), counters_(counters), self_(self), company_(loop) {}

void RecordChannel::record(Record record) {
  if (gathered_.records.size() >= kMaxGathered) {
    ++gathered_.dropped;
    return;
  }
  record.at = wall_now();
  record.by = self_;
  bound(record);
  gathered_.records.push_back(std::move(record));
  send_soon();
}

void RecordChannel::send_soon() {
  if (!channel_ || std::exchange(waiting_for_company_, true)) return;
  company_.expires_after(kCompany);
  company_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    waiting_for_company_ = false;
    send_gathered();
  });
}

void RecordChannel::connect(UniqueFd socket) {
  channel_ = std::make_unique<Channel<log_channel::FromLog, log_channel::ToLog>>(
      loop_, std::move(socket), FrameLimits{.max_frame = log_channel::kMaxFrame}, counters_,
      Channel<log_channel::FromLog, log_channel::ToLog>::Handlers{
          [](log_channel::FromLog&&) -> Result<void> { return fail(ErrorClass::peer, "log says nothing"); },
          [this](const Error&) { channel_.reset(); }});
  if (!gathered_.records.empty()) send_soon();
}

bool RecordChannel::idle() const {
  return !channel_ || (gathered_.records.empty() && channel_->unsent() == 0);
}

void RecordChannel::send_gathered() {
  if (!channel_) return;
  auto& records = gathered_.records;
  while (!records.empty() && channel_ && channel_->unsent() < kMaxUnsent) {
    const auto count = std::min(records.size(), kRecordsPerFrame);
    log_channel::Records frame;
    frame.dropped = std::exchange(gathered_.dropped, 0);
    frame.records.assign(std::make_move_iterator(records.begin()),
                         std::make_move_iterator(records.begin() + static_cast<std::ptrdiff_t>(count)));
    records.erase(records.begin(), records.begin() + static_cast<std::ptrdiff_t>(count));
    channel_->send(frame);
  }
  if (!records.empty()) send_soon();
}

}  // namespace sternpost

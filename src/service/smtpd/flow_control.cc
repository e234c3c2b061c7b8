#include "service/smtpd/flow_control.h"

namespace sternpost::smtpd {

using spool_intake::kWindowBytes;

static_assert(FlowControl::kMostOfOneRead < kWindowBytes);
static_assert(kWindowBytes < FlowControl::kMostOnTheWay / 2);

void FlowControl::piece_sent(const LeasedId& id, std::size_t bytes, Time now) {
  auto& window = windows_[id.id];
  window.epoch = id.epoch;
  if (window.on_the_way() == 0) window.moved = now;
  window.sent += bytes;
  on_the_way_ += bytes;
}

Result<void> FlowControl::taken(QueueId id, std::uint64_t bytes, Time now) {
  const auto at = windows_.find(id);
  if (at == windows_.end() || at->second.given_up) return {};
  auto& window = at->second;
  if (bytes > window.sent || bytes < window.taken) {
    return fail(ErrorClass::peer, "of a message was taken what was not sent");
  }
  on_the_way_ -= bytes - window.taken;
  window.taken = bytes;
  window.moved = now;
  return {};
}

std::uint64_t FlowControl::commit_sent(QueueId id, std::size_t bytes) {
  on_the_way_ += bytes;
  const auto window = windows_.extract(id);
  return bytes + (window.empty() ? 0 : window.mapped().on_the_way());
}

void FlowControl::forget(QueueId id) {
  if (const auto window = windows_.extract(id)) on_the_way_ -= window.mapped().on_the_way();
}

void FlowControl::channel_closed(std::uint32_t epoch) {
  std::erase_if(windows_, [&](const auto& entry) {
    if (entry.second.epoch != epoch) return false;
    on_the_way_ -= entry.second.on_the_way();
    return true;
  });
}

std::vector<LeasedId> FlowControl::give_up(Time now) {
  std::vector<LeasedId> late;
  for (auto& [id, window] : windows_) {
    if (window.on_the_way() == 0 || now - window.moved < kPatience) continue;
    on_the_way_ -= window.on_the_way();
    window.given_up = true;
    late.push_back({id, window.epoch});
  }
  return late;
}

bool FlowControl::given_up(QueueId id) const {
  const auto at = windows_.find(id);
  return at != windows_.end() && at->second.given_up;
}

bool FlowControl::has_room(QueueId id) const {
  const auto at = windows_.find(id);
  if (at == windows_.end()) return on_the_way_ < kMostOnTheWay;
  const auto of_message = at->second.on_the_way();
  if (of_message == 0) return at->second.given_up || on_the_way_ < kMostOnTheWay;
  return of_message + kMostOfOneRead <= kWindowBytes && on_the_way_ < kMostOnTheWay / 2;
}

}  // namespace sternpost::smtpd

// Which addresses could not be reached a moment ago.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <unordered_map>

namespace sternpost::smtp_client {

/// Bounded: what is older than kLife is forgotten, and where that is not enough everything.
class HostMemory {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds kLife{60};
  static constexpr std::size_t kMax = 10'000;

  void failed(const std::string& address, Time now) {
    if (until_.size() >= kMax) std::erase_if(until_, [&](const auto& entry) { return entry.second <= now; });
    if (until_.size() >= kMax) until_.clear();
    until_[address] = now + kLife;
  }
  void reached(const std::string& address) { until_.erase(address); }
  [[nodiscard]] bool is_down(const std::string& address, Time now) const {
    const auto at = until_.find(address);
    return at != until_.end() && at->second > now;
  }

 private:
  std::unordered_map<std::string, Time> until_;
};

}  // namespace sternpost::smtp_client

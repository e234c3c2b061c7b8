// How much upkeep there is between commits while they follow each other: about as much as they write
// themselves, in steps that take about as long as one of them.
//
// So a commit that comes during a step waits for one that is no longer than what it is going to take itself,
// and upkeep keeps up: at most a half of a segment that is recycled while mail comes in is needed, so that
// moving a byte frees one.
#pragma once

#include <algorithm>
#include <cstdint>

namespace sternpost::spool {

class Pace {
 public:
  /// What a step writes at most, however much was committed.
  static constexpr std::uint64_t kMost = 1024 * 1024;

  /// `least`: what a step writes, so that the sync is worth it.
  explicit Pace(std::uint64_t least) : least_(least) {}

  /// Commits wrote so many bytes since the last step.
  void earn(std::uint64_t bytes) {
    if (bytes > 0) last_ = bytes;
    const auto room = static_cast<std::int64_t>(kMost) - credit_;
    credit_ += static_cast<std::int64_t>(std::min(bytes, static_cast<std::uint64_t>(room)));
  }
  /// Bytes that a step may write now, no more than commits wrote last, however much they did
  /// before while there was nothing to do; 0: it is to wait for more of them.
  [[nodiscard]] std::uint64_t step() const {
    if (credit_ < static_cast<std::int64_t>(least_)) return 0;
    return std::min(static_cast<std::uint64_t>(credit_), std::max(least_, last_));
  }
  /// A step wrote so many: more than step() said where it could not be made shorter, and then the next ones
  /// wait longer. One that wrote little read something, or waited for a sync nevertheless.
  void spend(std::uint64_t bytes) { credit_ -= static_cast<std::int64_t>(std::max(bytes, least_ / 2)); }

 private:
  std::uint64_t least_;
  std::int64_t credit_ = 0;
  std::uint64_t last_ = 0;
};

}  // namespace sternpost::spool

// How many jobs a site is given at once: found out, not configured.
#pragma once

#include <algorithm>
#include <cstdint>

namespace sternpost::queue {

/// A limit that grows with success and shrinks with trouble, as TCP's window does. It begins at what its user
/// says; until the first trouble each success adds one, which doubles it in a round; later successes add
/// 1/limit, one in a round. Trouble halves it, at most once for the jobs that were ordered before the last
/// halving. Always 1 to the cap.
class ConcurrencyLimit {
 public:
  ConcurrencyLimit(std::uint32_t initial, std::uint32_t cap) : limit_(initial) { set_cap(cap); }

  void set_cap(std::uint32_t cap) {
    cap_ = std::max(cap, 1U);
    limit_ = std::min(limit_, static_cast<double>(cap_));
  }

  /// The most jobs in hand now.
  [[nodiscard]] std::uint32_t value() const { return static_cast<std::uint32_t>(limit_); }

  /// Marks a job at its order; give it back with the job's end.
  [[nodiscard]] std::uint32_t round() const { return round_; }

  void succeeded() { limit_ = std::min(limit_ + (cautious_ ? 1 / limit_ : 1), static_cast<double>(cap_)); }

  void had_trouble(std::uint32_t ordered_in_round) {
    if (ordered_in_round != round_) return;
    ++round_;
    cautious_ = true;
    limit_ = std::max(limit_ / 2, 1.0);
  }

 private:
  double limit_;
  std::uint32_t cap_ = 1;
  std::uint32_t round_ = 0;
  bool cautious_ = false;
};

}  // namespace sternpost::queue

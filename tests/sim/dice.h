// All chance of one life, from its seed.
#pragma once

#include <cstdint>
#include <random>

namespace sternpost::sim {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}

  double unit() { return std::uniform_real_distribution<double>(0, 1)(random_); }
  bool chance(double probability) { return unit() < probability; }
  std::uint64_t below(std::uint64_t n) {
    return std::uniform_int_distribution<std::uint64_t>(0, n - 1)(random_);
  }
  std::mt19937_64& random() { return random_; }

 private:
  std::mt19937_64 random_;
};

}  // namespace sternpost::sim

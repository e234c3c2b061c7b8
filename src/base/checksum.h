// One checksum for all that is stored: XXH3, 64 bits.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

struct XXH3_state_s;

namespace sternpost {

/// XXH3-64 of `bytes` under `seed`. It finds accidents, not forgeries.
std::uint64_t checksum(std::string_view bytes, std::uint64_t seed);

/// The same of bytes that come one after the other.
class RunningChecksum {
 public:
  explicit RunningChecksum(std::uint64_t seed);

  void add(std::string_view bytes);
  /// Of all that was added so far; more may follow.
  [[nodiscard]] std::uint64_t value() const;

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
};

}  // namespace sternpost

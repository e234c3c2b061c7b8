// One checksum for all that is stored: XXH3, 64 bits.
#pragma once

#include <cstdint>
#include <string_view>

namespace sternpost {

/// XXH3-64 of `bytes` under `seed`. It finds accidents, not forgeries.
std::uint64_t checksum(std::string_view bytes, std::uint64_t seed);

}  // namespace sternpost

// Sizes and durations as administrators write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sternpost::config {

/// Octets: "4096", "64 KiB", "25MiB", "1 GB" (a power of ten); the case of the unit does not matter. Nothing
/// for other text and for more than 2^64-1.
std::optional<std::uint64_t> parse_size(std::string_view text);

/// Milliseconds: "90" (seconds), "500ms", "5m", "1h30m", "1 d"; units ms, s, m or min, h, d, w, each at most
/// once and from large to small. Nothing for other text and for more than 2^64-1.
std::optional<std::uint64_t> parse_duration(std::string_view text);

/// The shortest text that parse_size reads back: "25 MiB", "4096".
std::string format_size(std::uint64_t octets);

/// The shortest text that parse_duration reads back: "1h30m", "500ms", "0s".
std::string format_duration(std::uint64_t milliseconds);

}  // namespace sternpost::config

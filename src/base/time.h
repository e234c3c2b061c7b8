// Wall time and durations as distinct types. Functions that decide are given the time; they never read a
// clock.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <tuple>

namespace sternpost {

using Microseconds = std::chrono::microseconds;
using Milliseconds = std::chrono::milliseconds;
using Seconds = std::chrono::seconds;

/// A point of wall time: microseconds since 1970-01-01T00:00:00Z. It is what records carry.
struct WallTime {
  std::int64_t microseconds = 0;

  auto operator<=>(const WallTime&) const = default;
  static constexpr auto fields() { return std::tuple(&WallTime::microseconds); }
};

constexpr WallTime operator+(WallTime t, Microseconds d) {
  return {t.microseconds + d.count()};
}
constexpr WallTime operator-(WallTime t, Microseconds d) {
  return {t.microseconds - d.count()};
}
constexpr Microseconds operator-(WallTime a, WallTime b) {
  return Microseconds(a.microseconds - b.microseconds);
}

/// Now, by the system's clock. Only shells call this.
WallTime wall_now();

/// RFC 3339 in UTC with microseconds: 2026-11-21T08:13:32.123456Z.
std::string to_rfc3339(WallTime t);

}  // namespace sternpost

// How hard the queue is pressed, and why: what tells intakes to slow down before anything is lost or late.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/codec.h"
#include "base/time.h"

namespace sternpost::queue {

/// What intakes do at each level. Each does what the ones before it do.
enum class PressureLevel : unsigned char {
  none,
  slow,    ///< clients wait a moment before they may send content
  refuse,  ///< MAIL is answered with 452 4.3.1
  close,   ///< connections are answered with 421 4.3.2
};

/// "none", "slow", "refuse", "close".
std::string_view to_string(PressureLevel level);

struct PressureLimits {
  std::uint64_t max_backlog = 1;       ///< messages that wait for their first attempt
  Microseconds max_lag = Seconds(1);   ///< how long such a message waits
  std::uint64_t max_memory_bytes = 1;  ///< of what is kept of messages in memory, here and in the spool
};

/// What is known now.
struct Load {
  std::uint64_t backlog = 0;
  Microseconds lag{0};
  std::uint64_t memory_bytes = 0;
  std::uint64_t disk_bytes = 0;
  std::uint64_t max_disk_bytes = 0;  ///< 0: not known
};

struct Pressure {
  PressureLevel level = PressureLevel::none;
  std::string cause;  ///< "backlog: 120000 messages wait, 100000 may"; empty for none
  bool operator==(const Pressure&) const = default;
};

/// Of each measure, a quarter of its limit slows, the limit refuses, four times the limit closes; of the disk
/// it is 80, 90 and 97 percent. The worst measure counts. A level rises at once and falls when it was lower
/// for kCalm, so that intake does not flutter.
class PressureGauge {
 public:
  static constexpr Seconds kCalm{10};

  explicit PressureGauge(const PressureLimits& limits) : limits_(limits) {}
  void set(const PressureLimits& limits) { limits_ = limits; }

  /// The pressure, where it has changed since the last call.
  std::optional<Pressure> update(const Load& load, WallTime now);
  [[nodiscard]] const Pressure& current() const { return current_; }
  /// When a call may lower the level without any other change.
  [[nodiscard]] std::optional<WallTime> calm_at() const;
  void clock_stepped(Microseconds step);

 private:
  [[nodiscard]] Pressure measure(const Load& load) const;

  PressureLimits limits_;
  Pressure current_;
  std::optional<WallTime> lower_since_;
};

}  // namespace sternpost::queue

namespace sternpost {
template <>
inline constexpr unsigned kEnumBound<queue::PressureLevel> = 4;
}

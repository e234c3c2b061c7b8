#include "queue/pressure.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sternpost::queue {
namespace {

PressureLevel level_of(std::uint64_t value, std::uint64_t limit) {
  if (value / 4 >= limit) return PressureLevel::close;
  if (value >= limit) return PressureLevel::refuse;
  return value > limit / 4 ? PressureLevel::slow : PressureLevel::none;
}

PressureLevel level_of_disk(std::uint64_t used, std::uint64_t most) {
  if (most == 0) return PressureLevel::none;
  const auto percent = static_cast<double>(used) * 100 / static_cast<double>(most);
  if (percent >= 97) return PressureLevel::close;
  if (percent >= 90) return PressureLevel::refuse;
  return percent >= 80 ? PressureLevel::slow : PressureLevel::none;
}

std::uint64_t seconds_of(Microseconds time) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, std::chrono::floor<Seconds>(time).count()));
}

}  // namespace

std::string_view to_string(PressureLevel level) {
  constexpr std::array<std::string_view, kEnumBound<PressureLevel>> kNames = {"none", "slow", "refuse",
                                                                              "close"};
  return kNames[static_cast<unsigned>(level)];
}

Pressure PressureGauge::measure(const Load& load) const {
  Pressure worst;
  const auto consider = [&](PressureLevel level, auto&& describe) {
    if (level > worst.level) worst = {level, describe()};
  };
  consider(level_of(load.backlog, limits_.max_backlog), [&] {
    return fmt::format("backlog: {} messages wait for their first attempt, {} may", load.backlog,
                       limits_.max_backlog);
  });
  const auto lag = seconds_of(load.lag);
  const auto max_lag = seconds_of(limits_.max_lag);
  consider(level_of(lag, max_lag), [&] {
    return fmt::format("age: a message waits {} s for its first attempt, {} s it may", lag, max_lag);
  });
  consider(level_of(load.memory_bytes, limits_.max_memory_bytes), [&] {
    return fmt::format("memory: the queue takes {} octets, {} it may", load.memory_bytes,
                       limits_.max_memory_bytes);
  });
  consider(level_of_disk(load.disk_bytes, load.max_disk_bytes), [&] {
    return fmt::format("disk: the queue takes {} of {} octets", load.disk_bytes, load.max_disk_bytes);
  });
  return worst;
}

std::optional<Pressure> PressureGauge::update(const Load& load, WallTime now) {
  auto measured = measure(load);
  if (measured.level >= current_.level) {
    lower_since_.reset();
    if (measured.level == current_.level) return std::nullopt;
  } else {
    if (!lower_since_) lower_since_ = now;
    if (now - *lower_since_ < kCalm) return std::nullopt;
    lower_since_.reset();
  }
  current_ = std::move(measured);
  return current_;
}

void PressureGauge::clock_stepped(Microseconds step) {
  if (lower_since_) lower_since_ = *lower_since_ + step;
}

std::optional<WallTime> PressureGauge::calm_at() const {
  if (!lower_since_) return std::nullopt;
  return *lower_since_ + kCalm;
}

}  // namespace sternpost::queue

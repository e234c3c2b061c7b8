#include "config/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/ascii.h"

namespace sternpost::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array kSizes = {
    Unit{"tib", 1ULL << 40U},
    Unit{"gib", 1ULL << 30U},
    Unit{"mib", 1ULL << 20U},
    Unit{"kib", 1ULL << 10U},
    Unit{"tb", 1'000'000'000'000},
    Unit{"gb", 1'000'000'000},
    Unit{"mb", 1'000'000},
    Unit{"kb", 1'000},
    Unit{"b", 1},
};

constexpr std::array kDurations = {
    Unit{"w", 604'800'000}, Unit{"d", 86'400'000}, Unit{"h", 3'600'000}, Unit{"min", 60'000},
    Unit{"m", 60'000},      Unit{"s", 1'000},      Unit{"ms", 1},
};

constexpr std::size_t kLongestText = 64;

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), to_lower);
  return out;
}

void skip_spaces(std::string_view& text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
}

std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::string_view take_word(std::string_view& text) {
  const auto end = std::ranges::find_if(text, [](char c) { return c < 'a' || c > 'z'; });
  const auto word = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(word.size());
  return word;
}

const Unit* find_unit(const auto& units, std::string_view name) {
  const auto found = std::ranges::find(units, name, &Unit::name);
  return found == units.end() ? nullptr : &*found;
}

/// a * b + c, or nothing where it does not fit.
std::optional<std::uint64_t> scaled(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  std::uint64_t out = 0;
  if (__builtin_mul_overflow(a, b, &out) || __builtin_add_overflow(out, c, &out)) return std::nullopt;
  return out;
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) {
  if (text.size() > kLongestText) return std::nullopt;
  const auto lowered = lower(text);
  std::string_view rest = lowered;
  const auto number = take_number(rest);
  if (!number) return std::nullopt;
  skip_spaces(rest);
  if (rest.empty()) return number;
  const auto* unit = find_unit(kSizes, rest);
  if (unit == nullptr) return std::nullopt;
  return scaled(*number, unit->factor, 0);
}

std::optional<std::uint64_t> parse_duration(std::string_view text) {
  if (text.size() > kLongestText) return std::nullopt;
  const auto lowered = lower(text);
  std::string_view rest = lowered;
  std::optional<std::uint64_t> total = 0;
  std::uint64_t last_factor = ~0ULL;
  bool first = true;
  do {
    const auto number = take_number(rest);
    if (!number) return std::nullopt;
    skip_spaces(rest);
    const auto word = take_word(rest);
    if (word.empty()) return first && rest.empty() ? scaled(*number, 1'000, 0) : std::nullopt;
    const auto* unit = find_unit(kDurations, word);
    if (unit == nullptr || unit->factor >= last_factor) return std::nullopt;
    last_factor = unit->factor;
    total = scaled(*number, unit->factor, *total);
    if (!total) return std::nullopt;
    skip_spaces(rest);
    first = false;
  } while (!rest.empty());
  return total;
}

std::string format_size(std::uint64_t octets) {
  constexpr std::array kShown = {Unit{"TiB", 1ULL << 40U}, Unit{"GiB", 1ULL << 30U}, Unit{"MiB", 1ULL << 20U},
                                 Unit{"KiB", 1ULL << 10U}};
  for (const auto& unit : kShown) {
    if (octets >= unit.factor && octets % unit.factor == 0) {
      return fmt::format("{} {}", octets / unit.factor, unit.name);
    }
  }
  return fmt::format("{}", octets);
}

std::string format_duration(std::uint64_t milliseconds) {
  constexpr std::array kShown = {Unit{"d", 86'400'000}, Unit{"h", 3'600'000}, Unit{"m", 60'000},
                                 Unit{"s", 1'000}, Unit{"ms", 1}};
  std::string out;
  for (const auto& unit : kShown) {
    if (milliseconds < unit.factor) continue;
    out += fmt::format("{}{}", milliseconds / unit.factor, unit.name);
    milliseconds %= unit.factor;
  }
  return out.empty() ? "0s" : out;
}

}  // namespace sternpost::config

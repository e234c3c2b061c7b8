#include "base/queue_id.h"

#include <algorithm>

namespace sternpost {
namespace {

constexpr std::string_view kDigits = "0123456789bcdfghjklmnpqrstvwxyz";
static_assert(kDigits.size() == 31);
constexpr std::size_t kLeast = 4;
constexpr std::size_t kMost = 13;  // 31^13 > 2^64 > 31^12

}  // namespace

std::string to_string(QueueId id) {
  std::string reversed;
  for (auto rest = id.value; rest != 0 || reversed.size() < kLeast; rest /= kDigits.size()) {
    reversed.push_back(kDigits[rest % kDigits.size()]);
  }
  return {reversed.rbegin(), reversed.rend()};
}

std::optional<QueueId> parse_queue_id(std::string_view text) {
  if (text.size() < kLeast || text.size() > kMost) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    const auto digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    if (__builtin_mul_overflow(value, kDigits.size(), &value)) return std::nullopt;
    if (__builtin_add_overflow(value, digit, &value)) return std::nullopt;
  }
  if (value == 0 || to_string(QueueId{value}) != text) return std::nullopt;
  return QueueId{value};
}

}  // namespace sternpost

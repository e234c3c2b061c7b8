#include "protocol/smtp/client_capabilities.h"

#include <charconv>
#include <optional>

#include "base/ascii.h"

namespace sternpost::smtp {
namespace {

std::string_view take_word(std::string_view& text) {
  const auto word = text.substr(0, text.find(' '));
  text = trimmed(text.substr(word.size()));
  return word;
}

template <class T>
std::optional<T> number(std::string_view digits) {
  T value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

void take_limits(Capabilities& capabilities, std::string_view limits) {
  constexpr std::string_view kRecipients = "RCPTMAX=";
  while (!limits.empty()) {
    const auto word = take_word(limits);
    if (!equals_ignoring_case(word.substr(0, kRecipients.size()), kRecipients)) continue;
    capabilities.max_recipients = number<std::uint32_t>(word.substr(kRecipients.size())).value_or(0);
  }
}

}  // namespace

Capabilities parse_capabilities(std::string_view lines) {
  Capabilities capabilities;
  lines.remove_prefix(lines.find('\n') + 1);
  while (!lines.empty()) {
    const auto end = lines.find('\n');
    auto line = trimmed(lines.substr(0, end));
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
    const auto keyword = take_word(line);
    if (equals_ignoring_case(keyword, "PIPELINING")) {
      capabilities.pipelining = true;
    } else if (equals_ignoring_case(keyword, "8BITMIME")) {
      capabilities.eight_bit = true;
    } else if (equals_ignoring_case(keyword, "SIZE")) {
      capabilities.size = true;
      capabilities.max_message = number<std::uint64_t>(take_word(line)).value_or(0);
    } else if (equals_ignoring_case(keyword, "LIMITS")) {
      take_limits(capabilities, line);
    }
  }
  return capabilities;
}

}  // namespace sternpost::smtp

#include "dialog.h"

#include <charconv>

namespace sternpost::dialogs {
namespace {

std::optional<unsigned> number(std::string_view digits, int base = 10) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

/// Takes what stands behind a backslash off `text`.
Result<std::string> take_escape(std::string_view& text) {
  const char kind = text.empty() ? ' ' : text.front();
  if (kind == '{') {
    const auto star = text.find('*');
    const auto end = text.find('}');
    const auto count = star < end ? number(text.substr(1, star - 1)) : std::nullopt;
    if (end == std::string_view::npos || !count) return fail(ErrorClass::permanent, "malformed \\{N*text}");
    const auto repeated = unescape(text.substr(star + 1, end - star - 1));
    if (!repeated) return repeated;
    std::string out;
    for (unsigned i = 0; i < *count; ++i) out += *repeated;
    text.remove_prefix(end + 1);
    return out;
  }
  if (kind == 'x') {
    const auto value = number(text.substr(1, 2), 16);
    if (!value || text.size() < 3) return fail(ErrorClass::permanent, "malformed \\xHH");
    text.remove_prefix(3);
    return std::string(1, static_cast<char>(*value));
  }
  constexpr std::string_view kNames = "rnt0\\";
  constexpr std::string_view kMeanings("\r\n\t\0\\", 5);
  const auto at = kNames.find(kind);
  if (at == std::string_view::npos) return fail(ErrorClass::permanent, "unknown escape");
  text.remove_prefix(1);
  return std::string(1, kMeanings[at]);
}

}  // namespace

Dialog parse_dialog(std::string_view text) {
  Dialog dialog;
  for (std::size_t line = 1; !text.empty(); ++line) {
    const auto end = text.find('\n');
    const auto whole = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (whole.empty() || whole.front() == '#') continue;
    const auto space = whole.find(' ');
    dialog.steps.push_back({line, std::string(whole.substr(0, space)),
                            std::string(space == std::string_view::npos ? "" : whole.substr(space + 1))});
  }
  return dialog;
}

Result<std::string> unescape(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c != '\\') {
      out.push_back(c);
      continue;
    }
    auto meaning = take_escape(text);
    if (!meaning) return meaning;
    out += *meaning;
  }
  return out;
}

std::optional<mail::Reply> parse_reply(std::string_view text) {
  mail::Reply reply;
  const auto code = number(text.substr(0, 3));
  const auto status_end = text.find(' ', 4);
  const auto status = text.size() > 4 ? text.substr(4, status_end - 4) : std::string_view();
  const auto dot = status.find('.');
  const auto second = status.find('.', dot + 1);
  if (!code || status_end == std::string_view::npos || second == std::string_view::npos) return std::nullopt;
  const auto status_class = number(status.substr(0, dot));
  const auto subject = number(status.substr(dot + 1, second - dot - 1));
  const auto detail = number(status.substr(second + 1));
  if (!status_class || !subject || !detail) return std::nullopt;
  reply.code = static_cast<mail::ReplyCode>(*code);
  reply.status = {static_cast<std::uint8_t>(*status_class), static_cast<std::uint16_t>(*subject),
                  static_cast<std::uint16_t>(*detail)};
  reply.text = text.substr(status_end + 1);
  return reply;
}

}  // namespace sternpost::dialogs

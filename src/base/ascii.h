// ASCII text without locales: what the grammars of mail compare and trim.
#pragma once

#include <algorithm>
#include <string_view>

namespace sternpost {

constexpr char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

constexpr bool is_alphanumeric(char c) {
  return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'z');
}

/// From space to tilde.
constexpr bool is_printable(char c) {
  return c >= ' ' && c <= '~';
}

/// White space within a line (WSP of RFC 5234).
constexpr bool is_space(char c) {
  return c == ' ' || c == '\t';
}

/// Letters are compared without regard to case, other octets as they are.
constexpr bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return to_lower(x) == to_lower(y); });
}

/// `text` without white space at both ends.
constexpr std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace sternpost

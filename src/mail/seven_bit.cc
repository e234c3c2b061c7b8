#include "mail/seven_bit.h"

#include <algorithm>

#include "base/ascii.h"

namespace sternpost::mail {
namespace {

constexpr std::size_t kMaxLine = 998;    // RFC 5322 section 2.1.1, without the line end
constexpr std::size_t kMaxEncoded = 76;  // RFC 2045 section 6.7, rule 5
constexpr std::string_view kSoft = "=\r\n";

/// Calls `line` with each line of `text` without its CRLF, and with whether it had one.
template <typename F>
void for_each_line(std::string_view text, F line) {
  while (!text.empty()) {
    const auto end = text.find("\r\n");
    if (end == std::string_view::npos) {
      line(text, false);
      return;
    }
    line(text.substr(0, end), true);
    text.remove_prefix(end + 2);
  }
}

void append_encoded_line(std::string& out, std::string_view line) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::size_t column = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const bool last = i + 1 == line.size();
    // White space at the end of a line may be taken off on the way (rule 3).
    const bool plain = c != '=' && (is_printable(c) || c == '\t') && !(last && is_space(c));
    const std::size_t width = plain ? 1 : 3;
    // One column is kept for the '=' of a soft line break.
    if (column + width > kMaxEncoded - (last ? 0 : 1)) {
      out += kSoft;
      column = 0;
    }
    column += width;
    if (plain) {
      out.push_back(c);
      continue;
    }
    const auto octet = static_cast<unsigned char>(c);
    out.push_back('=');
    out.push_back(kHex[octet >> 4U]);
    out.push_back(kHex[octet & 0xFU]);
  }
}

}  // namespace

bool is_seven_bit(std::string_view text) {
  bool fits = true;
  for_each_line(text, [&fits](std::string_view line, bool) {
    fits = fits && line.size() <= kMaxLine && std::ranges::none_of(line, [](char c) {
             return c == '\0' || c == '\r' || c == '\n' || static_cast<unsigned char>(c) > 127;
           });
  });
  return fits;
}

std::string quoted_printable(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for_each_line(text, [&out](std::string_view line, bool ended) {
    append_encoded_line(out, line);
    if (ended) out += "\r\n";
  });
  return out;
}

}  // namespace sternpost::mail

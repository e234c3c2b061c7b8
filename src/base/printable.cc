#include "base/printable.h"

namespace sternpost {

void append_printable(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && text[plain] >= 0x20 && text[plain] < 0x7F && text[plain] != '\\') ++plain;
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    const auto octet = static_cast<unsigned char>(text.front());
    if (octet == '\\') {
      out += "\\\\";
    } else {
      out += "\\x";
      out.push_back(kHex[octet >> 4U]);
      out.push_back(kHex[octet & 0xFU]);
    }
    text.remove_prefix(1);
  }
}

std::string printable(std::string_view text, std::size_t most) {
  std::string out;
  append_printable(out, text.substr(0, most));
  if (text.size() > most) out += "...";
  return out;
}

}  // namespace sternpost

#include "base/printable.h"

namespace sternpost {

void append_printable(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\') {
      out += "\\\\";
    } else if (byte >= 0x20 && byte < 0x7F) {
      out.push_back(c);
    } else {
      out += "\\x";
      out.push_back(kHex[byte >> 4U]);
      out.push_back(kHex[byte & 0xFU]);
    }
  }
}

std::string printable(std::string_view text, std::size_t most) {
  std::string out;
  append_printable(out, text.substr(0, most));
  if (text.size() > most) out += "...";
  return out;
}

}  // namespace sternpost

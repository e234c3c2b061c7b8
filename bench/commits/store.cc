#include "store.h"

#include <cstdio>
#include <cstdlib>

namespace sternpost::bench {
namespace {

std::string make_content() {
  constexpr std::size_t kLine = 74;
  std::string content;
  while (content.size() < kMessageBytes) {
    for (std::size_t i = 0; i < kLine - 2; ++i) {
      content += static_cast<char>('a' + (content.size() * 7 + i) % 26);
    }
    content += "\r\n";
  }
  content.resize(kMessageBytes);
  return content;
}

}  // namespace

const std::string& content() {
  static const std::string made = make_content();
  return made;
}

void die(std::string_view what) {
  std::fprintf(stderr, "commits: %.*s\n", static_cast<int>(what.size()), what.data());
  std::exit(1);
}

}  // namespace sternpost::bench

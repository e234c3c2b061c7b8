#include "delivery/content.h"

#include <cstring>

namespace sternpost::delivery {

void append_with_local_line_ends(std::string_view content, std::string& out) {
  while (!content.empty()) {
    const auto* cr = static_cast<const char*>(std::memchr(content.data(), '\r', content.size()));
    if (cr == nullptr) {
      out.append(content);
      return;
    }
    const auto before = static_cast<std::size_t>(cr - content.data());
    const bool ends_line = before + 1 < content.size() && content[before + 1] == '\n';
    out.append(content.data(), before + (ends_line ? 0 : 1));
    content.remove_prefix(before + 1);
  }
}

FileResult<void> write_message(FileSystem& files, Handle file, std::string_view prefix,
                               std::string_view content, std::string& buffer) {
  buffer.assign(prefix);
  while (!content.empty()) {
    auto piece = content.substr(0, kWriteBytes);
    // Whether a CR ends a line is seen in the octet behind it.
    if (piece.back() == '\r' && piece.size() < content.size()) piece.remove_suffix(1);
    append_with_local_line_ends(piece, buffer);
    content.remove_prefix(piece.size());
    if (buffer.size() < kWriteBytes / 2 && !content.empty()) continue;
    if (auto written = files.write(file, buffer); !written) return written;
    buffer.clear();
  }
  return buffer.empty() ? FileResult<void>{} : files.write(file, buffer);
}

}  // namespace sternpost::delivery

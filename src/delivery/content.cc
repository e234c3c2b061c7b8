#include "delivery/content.h"

#include <algorithm>
#include <cstring>

#include "delivery/deferral.h"
#include "mail/header.h"

namespace sternpost::delivery {
namespace {

std::unexpected<mail::Reply> unread(const Error& error) {
  return std::unexpected(mail::Reply{451, {4, 3, 0}, error.text});
}

/// An empty line behind the first line.
bool has_empty_line(std::string_view text) {
  return text.contains("\n\r\n") || text.contains("\n\n");
}

}  // namespace

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

std::expected<std::string_view, mail::Reply> read_header(mail::ContentSource& content, std::string& buffer) {
  content.rewind();
  auto piece = content.next();
  if (!piece) return unread(piece.error());
  if (content.ended() || has_empty_line(*piece)) return *piece;
  buffer.assign(*piece);
  while (!content.ended() && buffer.size() < mail::HeaderBounds{}.max_bytes) {
    constexpr std::size_t kOverlap = 2;  // an empty line that begins in the piece before
    const auto searched = buffer.size() - std::min(buffer.size(), kOverlap);
    piece = content.next();
    if (!piece) return unread(piece.error());
    buffer.append(*piece);
    if (has_empty_line(std::string_view(buffer).substr(searched))) break;
  }
  return buffer;
}

Written write_message(FileSystem& files, Handle file, std::string_view prefix, mail::ContentSource& content,
                      std::string& buffer) {
  const auto write = [&](std::string_view bytes) -> Written {
    const auto written = files.write(file, bytes);
    if (!written) return std::unexpected(deferral(written.error(), kWriting));
    return {};
  };
  buffer.assign(prefix);
  content.rewind();
  while (true) {
    const auto piece = content.next();
    if (!piece) return unread(piece.error());
    // Whether the CR that the piece before ended with ends a line is seen only here.
    if (piece->starts_with('\n') && buffer.ends_with('\r')) buffer.pop_back();
    append_with_local_line_ends(*piece, buffer);
    if (content.ended()) return write(buffer);
    if (buffer.size() < kWriteBytes) continue;
    const std::size_t kept = buffer.ends_with('\r') ? 1 : 0;
    if (auto written = write(std::string_view(buffer).substr(0, buffer.size() - kept)); !written)
      return written;
    buffer.assign(kept, '\r');
  }
}

}  // namespace sternpost::delivery

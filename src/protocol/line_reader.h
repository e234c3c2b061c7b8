// Lines of a protocol that ends them in CRLF (RFC 5321 section 2.3.8), off the front of a buffer.
//
// What is no clean line is told apart and never repaired: a reader that is stricter or laxer than its
// neighbour is how one message becomes two.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace sternpost {

enum class LineFault : unsigned char {
  none,
  too_long,
  bare_cr,  ///< a CR that no LF follows
  nul,
};

enum class LineEnd : unsigned char { crlf, lf };

struct Line {
  std::string_view text;  ///< without its end; empty where the line was too long
  LineFault fault = LineFault::none;
  LineEnd end = LineEnd::crlf;
};

/// Finds lines of at most `max_line` octets with their end. A longer one is dropped as it comes and reported
/// once, at its end, so that the caller never has to keep more than `max_line` octets of an unfinished line.
class LineReader {
 public:
  explicit LineReader(std::size_t max_line) : max_line_(max_line) {}

  /// The next line, taken off `input`; nothing where its end has not come. Then `input` is what the caller
  /// keeps and shows again in front of more: fewer than `max_line` octets.
  std::optional<Line> next(std::string_view& input);

 private:
  std::size_t max_line_;
  bool skipping_ = false;
  bool skipped_cr_ = false;  ///< the last octet that was dropped is a CR
};

}  // namespace sternpost

// The header of a message (RFC 5322 section 2.2): its fields one by one, and what loop detection reads in it.
//
// Lines end in CRLF or LF: what SMTP brings has CRLF, what a program wrote into a Maildir may not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sternpost::mail {

/// One field. Both views are into the message that was read.
struct HeaderField {
  std::string_view name;   ///< without the colon and white space before it
  std::string_view value;  ///< everything after the colon but the last line end; folds are still in it
};

struct HeaderBounds {
  std::size_t max_bytes = 1024UL * 1024;  ///< reading stops after so many bytes of header
  std::size_t max_fields = 10'000;        ///< or after so many fields
};

/// Reads the fields of a header in order. A line that is no field ends the header, as the empty line does; a
/// bound that is reached ends it too, and says so. The message must outlive the reader.
class HeaderReader {
 public:
  explicit HeaderReader(std::string_view message, HeaderBounds bounds = {});

  /// The next field, or nothing where the header ends.
  std::optional<HeaderField> next();

  /// After next() gave nothing: where the body begins, behind the empty line if there is one.
  [[nodiscard]] std::size_t body_offset() const { return offset_; }
  /// The header went on, but a bound was reached.
  [[nodiscard]] bool cut_short() const { return cut_short_; }

 private:
  std::string_view message_;
  HeaderBounds bounds_;
  std::size_t offset_ = 0;
  std::size_t fields_ = 0;
  bool truncated_ = false;  ///< the message is longer than what will be read
  bool cut_short_ = false;
  bool ended_ = false;
};

/// Field names are compared without regard to case.
bool same_field_name(std::string_view a, std::string_view b);

/// A field's value on one line: line ends are taken out and white space around the whole is trimmed.
std::string unfold(std::string_view value);

/// The unfolded values of all fields of that name (in any case), in their order.
std::vector<std::string> field_values(std::string_view message, std::string_view name);

/// How many Received fields the header has: one for each server that the message passed (RFC 5321
/// section 6.3).
std::size_t count_received(std::string_view message);

/// Counts Received fields while the content comes in pieces of any size, without keeping any of it.
class HopCounter {
 public:
  void feed(std::string_view content);
  [[nodiscard]] std::uint32_t hops() const { return hops_; }
  /// The empty line was seen: nothing that follows matters.
  [[nodiscard]] bool header_ended() const { return where_ == Where::body; }

 private:
  enum class Where : unsigned char { line_start, line_start_cr, name, after_name, rest_of_line, body };

  void step(char c);

  Where where_ = Where::line_start;
  std::uint8_t matched_ = 0;
  std::uint32_t hops_ = 0;
};

}  // namespace sternpost::mail

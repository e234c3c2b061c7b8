#include "protocol/line_reader.h"

namespace sternpost {

std::optional<Line> LineReader::next(std::string_view& input) {
  const auto lf = input.find('\n');
  if (lf == std::string_view::npos) {
    if (skipping_ || input.size() >= max_line_) {
      if (!input.empty()) skipped_cr_ = input.back() == '\r';
      skipping_ = true;
      input = {};
    }
    return std::nullopt;
  }

  const bool too_long = skipping_ || lf + 1 > max_line_;
  const bool after_cr = lf > 0 ? input[lf - 1] == '\r' : skipping_ && skipped_cr_;
  Line line;
  line.end = after_cr ? LineEnd::crlf : LineEnd::lf;
  if (too_long) {
    line.fault = LineFault::too_long;
  } else {
    line.text = input.substr(0, after_cr ? lf - 1 : lf);
    if (line.text.find('\r') != std::string_view::npos) line.fault = LineFault::bare_cr;
    if (line.text.find('\0') != std::string_view::npos) line.fault = LineFault::nul;
  }
  skipping_ = false;
  skipped_cr_ = false;
  input.remove_prefix(lf + 1);
  return line;
}

}  // namespace sternpost

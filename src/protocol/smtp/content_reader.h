// The content of a message as it comes after DATA: where it ends, and what it is without transparency.
//
// Line ends. In a session of CRLF only CRLF.CRLF ends the content (RFC 5321 section 4.1.1.4). Nothing else is
// a line end: a bare CR, a bare LF or a NUL is a fault, the content is read on to its true end and then
// refused. In a session of LF, which exists only where the configuration says `normalize` and the very first
// line of the session ended in LF, LF.LF ends the content, each LF becomes CRLF and any CR is a fault. So a
// session has one kind of line end from its first octet to its last, and no sequence means an end to us that
// is data to a neighbour who sends CRLF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/line_reader.h"

namespace sternpost::smtp {

struct ContentFaults {
  bool bare_cr = false;
  bool bare_lf = false;
  bool nul = false;
  bool long_line = false;

  [[nodiscard]] bool any() const { return bare_cr || bare_lf || nul || long_line; }
};

/// Reads one message's content from pieces of any size; makes a fresh one for each message.
class ContentReader {
 public:
  ContentReader() = default;
  /// `max_line` counts octets with the line end and the dot of transparency.
  ContentReader(LineEnd line_end, std::size_t max_line) : line_end_(line_end), max_line_(max_line) {}

  /// Reads up to the end of the content or of `input`, appends what the content means to `out` and answers
  /// how many octets of `input` belong to it. Once faults() has any, what was appended is of no use.
  std::size_t read(std::string_view input, std::string& out);

  [[nodiscard]] bool ended() const { return state_ == State::ended; }
  [[nodiscard]] const ContentFaults& faults() const { return faults_; }

 private:
  enum class State : unsigned char { line_start, text, cr, dot, dot_cr, ended };

  std::size_t read_crlf(std::string_view input, std::string& out);
  std::size_t read_lf(std::string_view input, std::string& out);
  const char* read_text(const char* from, const char* end);
  void count(std::size_t octets) {
    line_octets_ += octets;
    if (line_octets_ > max_line_) faults_.long_line = true;
  }

  LineEnd line_end_ = LineEnd::crlf;
  State state_ = State::line_start;
  ContentFaults faults_;
  std::size_t max_line_ = 0;
  std::size_t line_octets_ = 0;
};

}  // namespace sternpost::smtp

// The content of a message as it goes out after DATA: lines of CRLF, dots doubled, and the end.
//
// What goes out can smuggle nothing: it never has a CR without its LF or an LF without its CR, whatever the
// content has, so that no reader of it, however lax, finds an end of data that is not ours.
//
// A bare LF is a line end of the system it comes from and becomes CRLF. A bare CR becomes one space: it is no
// line end anywhere that matters, and a CRLF in its place would make a header field, or the end of the
// header, out of what was the middle of a line when signatures and policies looked at it. Other octets, NUL
// among them, go as they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sternpost::smtp {

/// Writes one message's content, which comes in pieces; what goes out does not depend on where they end.
class ContentWriter {
 public:
  /// Octets that the end may have.
  static constexpr std::size_t kMaxEnd = 6;

  /// Appends the next octets of the content to `out`, as at most twice as many and one.
  void write(std::string_view octets, std::string& out);
  /// There are no more: appends the end, ".\r\n" on a line of its own.
  void end(std::string& out);

 private:
  // As if behind a line end. A CR waits here for what follows it, and is then written.
  char before_ = '\n';
};

/// What MAIL declares of a message.
struct ContentFacts {
  std::uint64_t octets = 0;  ///< as RFC 1870 counts: with CRLF, without the dots of transparency and the end
  bool eight_bit = false;    ///< some octet is above 127

  bool operator==(const ContentFacts&) const = default;
};

/// Finds them in content that comes in pieces.
class ContentMeter {
 public:
  void add(std::string_view octets);
  /// Of a content that ends with what was added last.
  [[nodiscard]] ContentFacts facts() const;

 private:
  std::uint64_t octets_ = 0;
  unsigned char bits_ = 0;
  char before_ = '\n';
};

}  // namespace sternpost::smtp

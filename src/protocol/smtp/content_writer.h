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

/// Writes one message's content in pieces, so that what is not written to the network yet stays bounded.
class ContentWriter {
 public:
  /// More than was asked for, at most: the last octets of a piece may be doubled, and the end follows them.
  static constexpr std::size_t kOverrun = 512 + 5;

  ContentWriter() = default;
  /// `content` must outlive the writer.
  explicit ContentWriter(std::string_view content) : content_(content) {}

  /// Appends about `about_bytes` octets of what is left to `out`, at most kOverrun more; at least one where
  /// `about_bytes` is not 0 and not all is written. Answers how many.
  std::size_t write(std::string& out, std::size_t about_bytes);

  /// All of it is written, ".\r\n" included.
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  [[nodiscard]] bool goes_as_it_is(std::size_t from, std::size_t octets) const;
  void append_changed(std::string& out, std::size_t from, std::size_t octets) const;

  std::string_view content_;
  std::size_t at_ = 0;
  bool ended_ = false;
};

/// What MAIL declares of a message.
struct ContentFacts {
  std::uint64_t octets = 0;  ///< as RFC 1870 counts: with CRLF, without the dots of transparency and the end
  bool eight_bit = false;    ///< some octet is above 127

  bool operator==(const ContentFacts&) const = default;
};

/// Reads all of `content` once.
ContentFacts measure(std::string_view content);

}  // namespace sternpost::smtp

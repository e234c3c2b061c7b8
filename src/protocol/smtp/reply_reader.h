// Replies of an SMTP server (RFC 5321 section 4.2) off the octets that it sends.
//
// A server is as little to be trusted as a client: every reply has a bound, and what is no reply is a fault
// and never guessed at. Two things that servers get wrong are harmless, as they leave no doubt, and taken: a
// line that ends in LF alone, and a code without any text behind it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "mail/status.h"
#include "protocol/line_reader.h"

namespace sternpost::smtp {

class ReplyReader {
 public:
  static constexpr std::size_t kMaxLine = 2048;          ///< octets with the line end; the RFC's limit is 512
  static constexpr std::size_t kMaxLines = 512;          ///< of one reply
  static constexpr std::size_t kMaxReply = 64UL * 1024;  ///< octets of one reply
  static constexpr std::size_t kMaxText = 512;           ///< octets of Reply::text

  /// Octets from the server, to be followed by next() until it gives nothing: then fewer than kMaxLine of
  /// them are kept, and the lines of a reply that is not whole.
  void feed(std::string_view octets);

  /// The next whole reply; nothing where its end has not come. Its text has the lines joined by a space and
  /// without status codes, other octets than printable ASCII replaced by "?", and is cut at kMaxText.
  /// Its status is that of the first line if it fits the reply code (RFC 2034 section 4), or else none.
  /// A failure (ErrorClass::peer) says what was read instead; nothing more may be read after it.
  std::optional<Result<mail::Reply>> next();

  /// The lines of the reply that next() gave last: text behind code and separator, each ended by LF. Valid
  /// until the next call of next().
  [[nodiscard]] std::string_view lines() const { return lines_; }

  /// Some octets of a further reply are here.
  [[nodiscard]] bool pending() const { return at_ < buffer_.size() || in_reply_; }

 private:
  std::optional<std::string> take_line(const Line& line, std::size_t octets);
  [[nodiscard]] mail::Reply make_reply() const;

  LineReader reader_{kMaxLine};
  std::string buffer_;
  std::size_t at_ = 0;  ///< what stands before is read

  std::string lines_;
  std::size_t line_count_ = 0;
  std::size_t octets_ = 0;
  mail::ReplyCode code_ = 0;
  bool in_reply_ = false;  ///< a line of the next reply is read, but not its last one
};

}  // namespace sternpost::smtp

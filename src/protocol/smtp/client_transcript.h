// The dialogue of a transaction for people to read: commands and replies, no content, bounded.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "mail/status.h"

namespace sternpost::smtp {

/// Keeps the beginning and the end of a dialogue; of a long one the middle is left out.
class Transcript {
 public:
  static constexpr std::size_t kFirstLines = 12;
  static constexpr std::size_t kLastLines = 27;
  static constexpr std::size_t kMaxLine = 200;  ///< octets; what is longer is cut

  /// A command without its line end.
  void command(std::string_view line);
  /// A reply: its code and its lines' texts, each ended by LF.
  void reply(mail::ReplyCode code, std::string_view lines);
  void clear();

  /// "C: MAIL FROM:<a@example.org>", "S: 250 2.1.0 Ok": printable ASCII, at most kFirstLines + kLastLines
  /// lines and one that says how many are left out.
  [[nodiscard]] std::vector<std::string> lines() const;

 private:
  void add(std::string_view who, std::string_view line);

  std::string first_;  ///< lines ended by LF
  std::string last_;
  std::size_t first_lines_ = 0;
  std::size_t last_lines_ = 0;
  std::size_t left_out_ = 0;
};

}  // namespace sternpost::smtp

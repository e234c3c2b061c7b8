// A dialog: what is said in one SMTP session and what must come of it, read from a file (README.md has the
// format).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "mail/status.h"

namespace sternpost::dialogs {

/// One line of a dialog: "C: EHLO x" has the word "C:" and the rest "EHLO x".
struct Step {
  std::size_t line = 0;  ///< in the file, from 1
  std::string word;
  std::string rest;
};

struct Dialog {
  std::vector<Step> steps;
};

/// Splits a file into steps; empty lines and lines that begin with '#' are none.
Dialog parse_dialog(std::string_view text);

/// `\r \n \t \0 \\ \xHH` and `\{N*text}`, which is text N times; an error names what is wrong.
Result<std::string> unescape(std::string_view text);

/// "550 5.1.1 no such mailbox"; nothing where it is no reply with an enhanced status.
std::optional<mail::Reply> parse_reply(std::string_view text);

}  // namespace sternpost::dialogs

// Text from anywhere, made safe for a terminal, a log line or an error message.
#pragma once

#include <string>
#include <string_view>

namespace sternpost {

/// Appends `text` to `out` with everything but printable ASCII as \xNN, and a backslash doubled: one line,
/// nothing that a terminal obeys, nothing lost.
void append_printable(std::string& out, std::string_view text);

/// The same as a value. Of text longer than `most` octets only the beginning is given, followed by "...".
std::string printable(std::string_view text, std::size_t most = 256);

}  // namespace sternpost

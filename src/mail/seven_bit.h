// Content that any server takes (Content-Transfer-Encoding 7bit, RFC 2045 section 2.7), and quoted-printable
// (section 6.7), which makes such content of any octets.
#pragma once

#include <string>
#include <string_view>

namespace sternpost::mail {

/// Lines of at most 998 octets between CRLF, in which each octet is 1 to 127 and neither CR nor LF. The last
/// line may lack its line end.
bool is_seven_bit(std::string_view text);

/// `text` in lines of at most 76 characters. CRLF stays a line end; CR or LF alone are octets like others and
/// come back as they were. At most a little over three times as long as `text`.
std::string quoted_printable(std::string_view text);

}  // namespace sternpost::mail

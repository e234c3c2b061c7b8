// The trust anchor: the keys from which DNSSEC validation starts, as text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sternpost::dns {

/// Octets of the file that holds it.
inline constexpr std::size_t kLargestTrustAnchor = 64 * 1024;

/// The records of `text`, one to a line: "." or another zone, IN, DS or DNSKEY and its data (RFC 1035 section
/// 5.1, without parentheses). A comment begins with a semicolon. Permanent error where there is none, where a
/// line is longer than 4,096 octets, and where there are more than 64.
Result<std::vector<std::string>> parse_trust_anchor(std::string_view text);

/// The whole file, whatever its offset is. Permanent error where it is too large.
Result<std::string> read_trust_anchor(int fd);

}  // namespace sternpost::dns

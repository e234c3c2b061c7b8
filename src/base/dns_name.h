// The grammar of names in the DNS, which is wider than that of host names.
#pragma once

#include <cstddef>
#include <string_view>

namespace sternpost {

/// Octets of a domain name as text, without the trailing dot (RFC 1035 section 2.3.4).
inline constexpr std::size_t kLongestDnsName = 253;

/// 1 to 253 octets of labels, each 1 to 63 of lower-case letters, digits, '-' and '_', with single dots
/// between them and none at the end. The root, "", is not one. The underscore is against RFC 1123
/// section 2.1, and hosts have it nevertheless.
bool is_dns_name(std::string_view name);

}  // namespace sternpost

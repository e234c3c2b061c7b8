// Address extensions: user+ext is delivered to user, and a table may still name user+ext itself.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sternpost::mail {

/// ASCII letters of `text` in lower case; other octets as they are. Local parts are case-sensitive on the
/// wire (RFC 5321 section 2.4), but the mailboxes of this host are named without regard to case.
std::string fold_case(std::string_view text);

/// `local_part` without its extension: what stands before the first `delimiter`. Nothing where there is no
/// extension: no delimiter configured ("" or more than one octet), none found, or nothing before it.
std::optional<std::string_view> without_extension(std::string_view local_part, std::string_view delimiter);

}  // namespace sternpost::mail

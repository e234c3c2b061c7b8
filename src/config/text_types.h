// The parameters' textual types: what each accepts, normalised.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sternpost::config {

/// All of these answer the normalised text, or nothing for text that is not of the type.

/// A domain name in lower case, no address literal.
std::optional<std::string> normalize_hostname(std::string_view text);

/// A Domain of RFC 5321 in lower case, address literals included.
std::optional<std::string> normalize_domain(std::string_view text);

/// A path without control characters, "." and ".." components, doubled and trailing slashes. A relative one
/// only where `relative` allows it; its components must not begin with a dot.
std::optional<std::string> normalize_path(std::string_view text, bool relative);

/// The path of a mailbox below the mail folder: relative, at most 512 octets.
std::optional<std::string> normalize_mailbox_directory(std::string_view text);

/// A local part that needs no quoting, in lower case.
std::optional<std::string> normalize_user_part(std::string_view text);

/// A name or number of a user or group that is not root; or nothing at all, "".
std::optional<std::string> normalize_account(std::string_view text);

/// One punctuation character that may stand in a local part, but not "." ; or "".
std::optional<std::string> normalize_delimiter(std::string_view text);

/// "user@domain" or "@domain" in lower case.
std::optional<std::string> normalize_mailbox_address(std::string_view text);

/// An IP address in its shortest form, without brackets.
std::optional<std::string> normalize_address(std::string_view text);

/// As route::to_string writes it; empty stays empty.
std::optional<std::string> normalize_next_hop(std::string_view text);

/// "example.org", ".example.org" or "*".
std::optional<std::string> normalize_route_pattern(std::string_view text);

}  // namespace sternpost::config

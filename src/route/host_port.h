// "host:port" with IPv6 addresses in brackets, as sites and next hops are written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sternpost::route {

/// "192.0.2.1" and "2001:db8::1" in their shortest form, with or without "IPv6:" before them; nothing for
/// other text.
std::optional<std::string> normalize_ip(std::string_view text);

/// A host name in lower case or an IP address without brackets; nothing for other text.
std::optional<std::string> normalize_host(std::string_view text);

/// The same, and the names against the rules for host names that hosts have in the DNS (is_dns_name), as
/// "mx_1.example.org".
std::optional<std::string> normalize_found_host(std::string_view text);

/// 1 to 65535, in decimal without sign and leading zeros.
std::optional<std::uint16_t> parse_port(std::string_view text);

/// "mx.example.org:25", "[192.0.2.1]:25", "[2001:db8::1]:25".
std::string format_host_port(std::string_view host, std::uint16_t port);

}  // namespace sternpost::route

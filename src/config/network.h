// Addresses of the network as the configuration writes them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/slices.h"

namespace sternpost::config {

/// "192.0.2.1:25" or "[2001:db8::1]:25"; the port is 1 to 65535. Nothing for other text, host names among it.
std::optional<Listener> parse_endpoint(std::string_view text);

/// The inverse of parse_endpoint, with the address in its shortest form.
std::string format_endpoint(const Listener& listener);

/// "192.0.2.0/24", "2001:db8::/32", or a single address, normalised to address/length. Nothing for other
/// text, networks with bits set beyond the length among it.
std::optional<std::string> normalize_network(std::string_view text);

}  // namespace sternpost::config

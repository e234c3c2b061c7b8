// Next hops as the administrator writes them: what is looked up, or connected to, for a domain.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "route/site.h"

namespace sternpost::route {

/// "relay.example.net" (its MX hosts), "[relay.example.net]" (that host itself), "[192.0.2.1]:2525",
/// "lmtp:[127.0.0.1]:24", "lmtp:unix:/run/dovecot/lmtp". Without a port: 25 for SMTP, 24 for LMTP.
struct NextHop {
  SiteProtocol protocol = SiteProtocol::smtp;
  enum class Kind : unsigned char { mx, host, local };
  Kind kind = Kind::mx;
  std::string name;        ///< a host or domain in lower case, an IP address without brackets, or a path
  std::uint16_t port = 0;  ///< 0 for a path
  bool operator==(const NextHop&) const = default;
};

std::optional<NextHop> parse_next_hop(std::string_view text);

/// In its shortest form: parse_next_hop takes it.
std::string to_string(const NextHop& next_hop);

}  // namespace sternpost::route

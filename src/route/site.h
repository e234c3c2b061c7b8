// Sites: where mail for others goes. A site is a set of hosts that is tried as one; domains with the same set
// share its state and its connections (docs/architecture.md section 5).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sternpost::route {

enum class SiteProtocol : unsigned char { smtp, lmtp };

enum class SiteKind : unsigned char {
  mx,        ///< hosts of an MX set
  implicit,  ///< a domain without MX records is its own host (RFC 5321 section 5.1)
  host,      ///< one host that the administrator named
  local,     ///< a Unix-domain socket, by its path
};

struct SiteHost {
  std::uint16_t preference = 0;  ///< lower ones are tried first
  /// A host name in lower case, an IP address without brackets, or a path.
  std::string name;
  std::uint16_t port = 0;  ///< 0 for a path
  bool operator==(const SiteHost&) const = default;
};

struct Site {
  SiteProtocol protocol = SiteProtocol::smtp;
  SiteKind kind = SiteKind::host;
  bool secure = false;          ///< DNSSEC vouches for the MX set, or for its absence
  bool routed = false;          ///< the MX set is that of a next hop that the administrator named
  std::vector<SiteHost> hosts;  ///< by preference, then by name; 1 to kMaxSiteHosts
  /// IP addresses that connections come from, at most one of each family.
  std::vector<std::string> sources;
  bool operator==(const Site&) const = default;
};

/// Of a larger MX set the least preferred are left out.
inline constexpr std::size_t kMaxSiteHosts = 20;
/// The longest text of a site, in octets.
inline constexpr std::size_t kMaxSiteText = 8 * 1024;

/// One line without control characters; equal sites have equal texts: "smtp mx 10 a.example:25 20
/// b.example:25", "smtp mx-routed-secure 10 a.example:25", "lmtp local /run/lmtp", "smtp host [192.0.2.1]:25
/// from 192.0.2.9".
std::string to_string(const Site& site);

/// The inverse of to_string; nothing for any other text.
std::optional<Site> parse_site(std::string_view text);

/// Whether the site has a host of this name, which may be an IP address, with or without brackets, or a path.
bool has_host(const Site& site, std::string_view name);

}  // namespace sternpost::route

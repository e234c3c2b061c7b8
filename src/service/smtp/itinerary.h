// Which addresses are tried for a site, and in which order (RFC 5321 section 5.1).
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "mail/status.h"
#include "route/site.h"
#include "service/dns/protocol.h"

namespace sternpost::smtp_client {

/// What is connected to.
struct Endpoint {
  std::string host;              ///< the name by which it was found; empty where the site names the address
  std::string address;           ///< an IP address, or the path of a Unix-domain socket
  std::uint16_t port = 0;        ///< 0 for a path
  std::string source = {};       ///< the address that the connection comes from; empty: the kernel chooses
  std::uint16_t preference = 0;  ///< of the host at its site
  bool operator==(const Endpoint&) const = default;
};

/// "mx.example.org [192.0.2.1]", "[192.0.2.1]" or a path: who said what is quoted of it.
std::string to_remote(const Endpoint& endpoint);
/// The same with the port.
std::string to_string(const Endpoint& endpoint);

/// What the DNS says of one host of a site, in the order of Site::hosts. A host that needs no DNS is found
/// with its own name as its address.
struct HostAddresses {
  dns::Outcome outcome = dns::Outcome::unavailable;
  std::vector<std::string> addresses;
  std::string why;
};

struct Traveller {
  /// Whether a connection there would come to this server itself.
  std::function<bool(std::string_view address, std::uint16_t port)> is_own;
  /// Whether it could not be reached a moment ago: such are tried last.
  std::function<bool(const Endpoint& endpoint)> is_down;
  /// At least as random as the balance among equal hosts should be.
  std::function<std::size_t(std::size_t below)> choose;
};

/// The most addresses of a site that are tried for one delivery (RFC 5321 section 5.1 allows such a bound).
inline constexpr std::size_t kMaxEndpoints = 5;

/// What is said of mail for a site where this server itself stands first (RFC 5321 section 5.1).
mail::Reply loops_back(const route::Site& site);

/// At least one endpoint, or why there is none: 5.4.6 where mail would come back to us, 5.4.4 where no host
/// has an address, or 4.4.4 where the administrator named the next hop, 4.4.3 where the DNS does not say.
/// Hosts of one preference are tried in random order; where one of ours is among the hosts, only better ones
/// are tried. With a source address, only addresses of its family. The families of a host take turns, IPv6
/// first. Where there are more than kMaxEndpoints, the last two are kept for another preference than that of
/// the others, else for another host.
std::expected<std::vector<Endpoint>, mail::Reply> plan_itinerary(const route::Site& site,
                                                                 const std::vector<HostAddresses>& hosts,
                                                                 const Traveller& traveller);

}  // namespace sternpost::smtp_client

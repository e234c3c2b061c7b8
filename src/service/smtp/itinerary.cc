#include "service/smtp/itinerary.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <span>
#include <tuple>
#include <utility>

namespace sternpost::smtp_client {
namespace {

using Refused = std::unexpected<mail::Reply>;

bool is_ipv6(std::string_view address) {
  return address.contains(':');
}

/// The source of the address's family, empty where none is asked for; nothing where the route has sources and
/// none of this family.
std::optional<std::string> source_for(const route::Site& site, std::string_view address) {
  if (site.sources.empty()) return std::string();
  const auto at = std::ranges::find_if(
      site.sources, [&](const std::string& source) { return is_ipv6(source) == is_ipv6(address); });
  if (at == site.sources.end()) return std::nullopt;
  return *at;
}

/// The best preference at which this server stands among the hosts.
std::uint32_t own_preference(const route::Site& site, const std::vector<HostAddresses>& hosts,
                             const Traveller& traveller) {
  auto best = std::numeric_limits<std::uint32_t>::max();
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    const auto& host = site.hosts[i];
    const bool own = std::ranges::any_of(
        hosts[i].addresses, [&](const std::string& address) { return traveller.is_own(address, host.port); });
    if (own) best = std::min<std::uint32_t>(best, host.preference);
  }
  return best;
}

/// The addresses of a host with the families by turns, IPv6 first: where one family does not work here, or
/// not there, the other is not kept waiting for the end of it (RFC 6555 section 4).
std::vector<std::string> by_turns(const std::vector<std::string>& addresses) {
  std::vector<std::string> v6;
  std::vector<std::string> v4;
  for (const auto& address : addresses) (is_ipv6(address) ? v6 : v4).push_back(address);
  std::vector<std::string> mixed;
  mixed.reserve(addresses.size());
  for (std::size_t i = 0; i < std::max(v6.size(), v4.size()); ++i) {
    if (i < v6.size()) mixed.push_back(std::move(v6[i]));
    if (i < v4.size()) mixed.push_back(std::move(v4[i]));
  }
  return mixed;
}

/// An address that may be tried, and its place among the others.
struct Stop {
  std::uint16_t preference = 0;
  std::size_t order = 0;  ///< of the host, among hosts of one preference
  std::size_t turn = 0;   ///< among addresses of one host
  bool down = false;
  Endpoint endpoint;

  [[nodiscard]] auto place() const { return std::tuple(down, preference, order, turn); }
};

bool comes_before(const Stop& a, const Stop& b) {
  return a.place() < b.place();
}

/// What a stop adds to those before it: 0 for another preference, 1 for another host, 2 for one more address.
int kinship(const Stop& stop, std::span<const Stop> before) {
  if (std::ranges::find(before, stop.preference, &Stop::preference) == before.end()) return 0;
  return std::ranges::find(before, stop.order, &Stop::order) == before.end() ? 1 : 2;
}

/// Leaves kMaxEndpoints of the sorted stops. The last kMaxElsewhere of them are for other preferences, else
/// for other hosts: where the best of them is down with all its addresses, a backup is tried all the same.
void keep_most(std::vector<Stop>& stops) {
  constexpr std::size_t kMaxElsewhere = 2;  // one of each family
  if (stops.size() <= kMaxEndpoints) return;
  const auto all = std::span(stops);
  const auto first = all.first(kMaxEndpoints - kMaxElsewhere);
  std::ranges::sort(all.subspan(first.size()), {}, [&](const Stop& stop) {
    return std::tuple(stop.down, kinship(stop, first), stop.place());
  });
  stops.resize(kMaxEndpoints);
  std::ranges::sort(stops, comes_before);
}

/// The DNS says for good that no host has an address.
mail::Reply no_address(const route::Site& site) {
  const auto& name = site.hosts.front().name;
  if (!site.routed && site.kind != route::SiteKind::host) {
    return {550, {5, 4, 4}, fmt::format("the host {} has no address", name)};
  }
  // The administrator's mistake must not cost the mail of others.
  return {451,
          {4, 4, 4},
          fmt::format("the host {} of the next hop that a route or smarthost names has no address", name)};
}

mail::Reply nowhere(const route::Site& site, const std::vector<HostAddresses>& hosts) {
  const auto unknown = std::ranges::find_if(hosts, [](const HostAddresses& host) {
    return host.outcome == dns::Outcome::unavailable || host.outcome == dns::Outcome::bogus;
  });
  if (unknown == hosts.end()) return no_address(site);
  const auto& name = site.hosts[static_cast<std::size_t>(unknown - hosts.begin())].name;
  if (unknown->outcome == dns::Outcome::bogus) {
    return {451, {4, 7, 5}, fmt::format("what the DNS says of {} is forged: {}", name, unknown->why)};
  }
  return {451, {4, 4, 3}, fmt::format("the DNS does not answer for {}: {}", name, unknown->why)};
}

}  // namespace

mail::Reply loops_back(const route::Site& site) {
  return {554, {5, 4, 6}, fmt::format("mail for {} loops back to this server", site.hosts.front().name)};
}

std::string to_remote(const Endpoint& endpoint) {
  if (endpoint.port == 0) return endpoint.address;
  return endpoint.host.empty() ? fmt::format("[{}]", endpoint.address)
                               : fmt::format("{} [{}]", endpoint.host, endpoint.address);
}

std::string to_string(const Endpoint& endpoint) {
  return endpoint.port == 0 ? endpoint.address : fmt::format("{}:{}", to_remote(endpoint), endpoint.port);
}

std::expected<std::vector<Endpoint>, mail::Reply> plan_itinerary(const route::Site& site,
                                                                 const std::vector<HostAddresses>& hosts,
                                                                 const Traveller& traveller) {
  const auto limit = own_preference(site, hosts, traveller);
  std::vector<std::size_t> order(hosts.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[traveller.choose(i)]);

  std::vector<Stop> stops;
  bool kept_from_us = false;
  bool wrong_family = false;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    const auto& host = site.hosts[i];
    if (host.preference >= limit) {
      kept_from_us = true;
      continue;
    }
    for (const auto& address : by_turns(hosts[i].addresses)) {
      auto source = host.port == 0 ? std::string() : source_for(site, address);
      if (!source) {
        wrong_family = true;
        continue;
      }
      Endpoint endpoint{host.name == address ? "" : host.name, address, host.port, std::move(*source),
                        host.preference};
      const bool down = traveller.is_down(endpoint);
      stops.push_back({host.preference, order[i], stops.size(), down, std::move(endpoint)});
    }
  }
  if (stops.empty() && kept_from_us) return Refused(loops_back(site));
  if (stops.empty() && wrong_family) {
    return Refused({451,
                    {4, 4, 0},
                    fmt::format("no address of {} is of the family of the route's source address",
                                site.hosts.front().name)});
  }
  if (stops.empty()) return Refused(nowhere(site, hosts));
  std::ranges::sort(stops, comes_before);
  keep_most(stops);
  std::vector<Endpoint> endpoints;
  endpoints.reserve(stops.size());
  for (auto& stop : stops) endpoints.push_back(std::move(stop.endpoint));
  return endpoints;
}

}  // namespace sternpost::smtp_client

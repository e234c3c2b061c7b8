#include "service/smtp/itinerary.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
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

mail::Reply nowhere(const route::Site& site, const std::vector<HostAddresses>& hosts) {
  const HostAddresses* unknown = nullptr;
  std::string name;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    if (name.empty()) name = site.hosts[i].name;
    const bool waits =
        hosts[i].outcome == dns::Outcome::unavailable || hosts[i].outcome == dns::Outcome::bogus;
    if (!waits || unknown != nullptr) continue;
    unknown = &hosts[i];
    name = site.hosts[i].name;
  }
  if (unknown == nullptr) return {550, {5, 4, 4}, fmt::format("the host {} has no address", name)};
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
  struct Stop {
    std::uint16_t preference = 0;
    std::size_t order = 0;  ///< among hosts of one preference
    std::size_t turn = 0;   ///< among addresses of one host
    bool down = false;
    Endpoint endpoint;
  };
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
    for (const auto& address : hosts[i].addresses) {
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
  std::ranges::sort(stops, [](const Stop& a, const Stop& b) {
    return std::tuple(a.down, a.preference, a.order, a.turn) <
           std::tuple(b.down, b.preference, b.order, b.turn);
  });
  std::vector<Endpoint> endpoints;
  for (auto& stop : stops) {
    if (endpoints.size() == kMaxEndpoints) break;
    endpoints.push_back(std::move(stop.endpoint));
  }
  return endpoints;
}

}  // namespace sternpost::smtp_client

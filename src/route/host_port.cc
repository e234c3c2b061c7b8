#include "route/host_port.h"

#include <fmt/format.h>

#include <charconv>

#include "base/ascii.h"
#include "base/dns_name.h"
#include "mail/address.h"
#include "mail/extension.h"
#include "route/network.h"

namespace sternpost::route {

std::optional<std::string> normalize_ip(std::string_view text) {
  constexpr std::string_view kTag = "ipv6:";
  if (text.size() > kTag.size() && equals_ignoring_case(text.substr(0, kTag.size()), kTag)) {
    text.remove_prefix(kTag.size());
  }
  const auto address = IpAddress::parse(text);
  if (!address) return std::nullopt;
  return address->to_string();
}

std::optional<std::string> normalize_host(std::string_view text) {
  if (auto address = normalize_ip(text)) return address;
  const auto domain = mail::Domain::from_wire(text);
  if (!domain || domain->is_literal()) return std::nullopt;
  return domain->to_wire();
}

std::optional<std::string> normalize_found_host(std::string_view text) {
  if (auto host = normalize_host(text)) return host;
  auto name = mail::fold_case(text);
  if (!is_dns_name(name)) return std::nullopt;
  return name;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc{} || rest != end || port == 0 || text.starts_with('0')) return std::nullopt;
  return port;
}

std::string format_host_port(std::string_view host, std::uint16_t port) {
  if (normalize_ip(host)) return fmt::format("[{}]:{}", host, port);
  return fmt::format("{}:{}", host, port);
}

}  // namespace sternpost::route

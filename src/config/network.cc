#include "config/network.h"

#include <fmt/format.h>

#include <charconv>

#include "route/network.h"

namespace sternpost::config {
namespace {

std::optional<unsigned> parse_number(std::string_view text, unsigned most) {
  unsigned value = 0;
  const auto* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc{} || rest != end || value > most) return std::nullopt;
  return value;
}

}  // namespace

std::optional<Listener> parse_endpoint(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = route::IpAddress::parse(host);
  const auto port = parse_number(text.substr(colon + 1), 65535);
  if (!address || !port || *port == 0 || bracketed != (host.find(':') != std::string_view::npos))
    return std::nullopt;
  return Listener{address->to_string(), static_cast<std::uint16_t>(*port)};
}

std::string format_endpoint(const Listener& listener) {
  const bool six = listener.address.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", six ? "[" : "", listener.address, six ? "]" : "", listener.port);
}

std::optional<std::string> normalize_network(std::string_view text) {
  const auto network = route::Network::parse(text);
  if (!network || network->has_bits_beyond()) return std::nullopt;
  return network->to_string();
}

}  // namespace sternpost::config

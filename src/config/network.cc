#include "config/network.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <charconv>

namespace sternpost::config {
namespace {

/// An address of either family in network order.
struct Address {
  int family = AF_INET;
  std::array<unsigned char, 16> octets{};

  [[nodiscard]] unsigned bits() const { return family == AF_INET ? 32 : 128; }
};

std::optional<Address> parse_address(std::string_view text) {
  const std::string terminated(text);
  if (terminated.find('\0') != std::string::npos) return std::nullopt;
  for (const int family : {AF_INET, AF_INET6}) {
    Address address{.family = family, .octets = {}};
    if (::inet_pton(family, terminated.c_str(), address.octets.data()) == 1) return address;
  }
  return std::nullopt;
}

std::string format_address(const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(address.family, address.octets.data(), text.data(), text.size());
  return text.data();
}

std::optional<unsigned> parse_number(std::string_view text, unsigned most) {
  unsigned value = 0;
  const auto* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc{} || rest != end || value > most) return std::nullopt;
  return value;
}

bool has_bits_beyond(const Address& address, unsigned length) {
  for (unsigned bit = length; bit < address.bits(); ++bit) {
    if ((static_cast<unsigned>(address.octets[bit / 8]) >> (7 - bit % 8) & 1U) != 0) return true;
  }
  return false;
}

}  // namespace

std::optional<Listener> parse_endpoint(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = parse_address(host);
  const auto port = parse_number(text.substr(colon + 1), 65535);
  if (!address || !port || *port == 0 || bracketed != (address->family == AF_INET6)) return std::nullopt;
  return Listener{format_address(*address), static_cast<std::uint16_t>(*port)};
}

std::string format_endpoint(const Listener& listener) {
  const bool six = listener.address.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", six ? "[" : "", listener.address, six ? "]" : "", listener.port);
}

std::optional<std::string> normalize_network(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return std::nullopt;
  unsigned length = address->bits();
  if (slash != std::string_view::npos) {
    const auto given = parse_number(text.substr(slash + 1), address->bits());
    if (!given) return std::nullopt;
    length = *given;
  }
  if (has_bits_beyond(*address, length)) return std::nullopt;
  return fmt::format("{}/{}", format_address(*address), length);
}

}  // namespace sternpost::config

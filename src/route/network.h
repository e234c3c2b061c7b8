// IP addresses and networks, as the configuration names clients: "192.0.2.0/24", "2001:db8::/32".
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sternpost::route {

/// An IPv4 or IPv6 address as 16 octets; IPv4 stands as IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2), so that
/// a client is the same whichever family its socket has.
class IpAddress {
 public:
  /// Without port, brackets and zone.
  static std::optional<IpAddress> parse(std::string_view text);

  [[nodiscard]] const std::array<std::uint8_t, 16>& octets() const { return octets_; }
  [[nodiscard]] bool is_ipv4() const;
  /// In its shortest form (RFC 5952), without brackets; IPv4 dotted.
  [[nodiscard]] std::string to_string() const;
  bool operator==(const IpAddress&) const = default;

 private:
  std::array<std::uint8_t, 16> octets_{};
};

/// An address and the length of its prefix. Bits behind the prefix do not matter.
class Network {
 public:
  /// "address/length", or an address alone, which is the network of that one.
  static std::optional<Network> parse(std::string_view text);

  [[nodiscard]] bool contains(const IpAddress& address) const;

  /// Whether bits behind the prefix are set: then it may have been meant as another network.
  [[nodiscard]] bool has_bits_beyond() const;
  /// "192.0.2.0/24", "2001:db8::/32"
  [[nodiscard]] std::string to_string() const;

 private:
  IpAddress address_;
  std::uint8_t prefix_bits_ = 128;  ///< of the 128 of an IPv6 or mapped address
};

}  // namespace sternpost::route

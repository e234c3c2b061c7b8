#include "route/network.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <span>

namespace sternpost::route {
namespace {

constexpr std::uint8_t kMappedBits = 96;  // before the IPv4 address in an IPv4-mapped one

constexpr std::array<std::uint8_t, kMappedBits / 8> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

bool is_ipv4_text(std::string_view text) {
  return text.find(':') == std::string_view::npos;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string terminated(text);
  IpAddress address;
  auto* octets = address.octets_.data();
  if (is_ipv4_text(text)) {
    std::ranges::copy(kMapped, octets);
    if (::inet_pton(AF_INET, terminated.c_str(), octets + kMappedBits / 8) != 1) return std::nullopt;
  } else if (::inet_pton(AF_INET6, terminated.c_str(), octets) != 1) {
    return std::nullopt;
  }
  return address;
}

bool IpAddress::is_ipv4() const {
  return std::ranges::equal(std::span(octets_).first(kMapped.size()), kMapped);
}

std::string IpAddress::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (is_ipv4()) {
    ::inet_ntop(AF_INET, octets_.data() + kMapped.size(), text.data(), text.size());
  } else {
    ::inet_ntop(AF_INET6, octets_.data(), text.data(), text.size());
  }
  return text.data();
}

std::optional<Network> Network::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  Network network;
  network.address_ = *address;
  if (slash == std::string_view::npos) return network;

  const auto digits = text.substr(slash + 1);
  const bool v4 = is_ipv4_text(text.substr(0, slash));
  unsigned bits = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (error != std::errc{} || end != digits.data() + digits.size() || digits.size() > 3) return std::nullopt;
  if (bits > (v4 ? 32U : 128U)) return std::nullopt;
  network.prefix_bits_ = static_cast<std::uint8_t>(v4 ? bits + kMappedBits : bits);
  return network;
}

bool Network::contains(const IpAddress& address) const {
  const auto& ours = address_.octets();
  const auto& theirs = address.octets();
  const std::size_t whole = prefix_bits_ / 8;
  if (!std::equal(ours.begin(), ours.begin() + static_cast<std::ptrdiff_t>(whole), theirs.begin()))
    return false;
  const unsigned rest = prefix_bits_ % 8;
  return rest == 0 || (ours[whole] >> (8 - rest)) == (theirs[whole] >> (8 - rest));
}

bool Network::has_bits_beyond() const {
  const auto& octets = address_.octets();
  for (unsigned bit = prefix_bits_; bit < 8 * octets.size(); ++bit) {
    if ((static_cast<unsigned>(octets[bit / 8]) >> (7 - bit % 8) & 1U) != 0) return true;
  }
  return false;
}

std::string Network::to_string() const {
  const bool v4 = address_.is_ipv4() && prefix_bits_ >= kMappedBits;
  return address_.to_string() + '/' + std::to_string(v4 ? prefix_bits_ - kMappedBits : prefix_bits_);
}

}  // namespace sternpost::route

#include "service/smtpd/client_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <array>
#include <cstring>

namespace sternpost::smtpd {
namespace {

std::string text_of(int family, const void* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(family, address, text.data(), text.size());
  return text.data();
}

ClientAddress of_ipv4(const std::string& address, std::uint16_t port) {
  return {address, fmt::format("{}:{}", address, port), address};
}

}  // namespace

ClientAddress client_address(const sockaddr_storage& peer) {
  if (peer.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &peer, sizeof(in));
    return of_ipv4(text_of(AF_INET, &in.sin_addr), ntohs(in.sin_port));
  }
  if (peer.ss_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, &peer, sizeof(in));
    const auto port = ntohs(in.sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr)) {
      return of_ipv4(text_of(AF_INET, &in.sin6_addr.s6_addr[12]), port);
    }
    auto text = text_of(AF_INET6, &in.sin6_addr);
    auto endpoint = fmt::format("[{}]:{}", text, port);
    std::fill(std::begin(in.sin6_addr.s6_addr) + 8, std::end(in.sin6_addr.s6_addr), std::uint8_t{0});
    return {std::move(text), std::move(endpoint), text_of(AF_INET6, &in.sin6_addr) + "/64"};
  }
  return of_ipv4("0.0.0.0", 0);
}

}  // namespace sternpost::smtpd

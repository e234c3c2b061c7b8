#include "service/smtp/own_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

#include "base/unique_fd.h"

namespace sternpost::smtp_client {
namespace {

template <class Address, class Octets>
bool is_local(int family, Address to, Octets Address::* octets) {
  const UniqueFd fd(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  Address from{};
  socklen_t size = sizeof(from);
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0 ||
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&from), &size) != 0) {
    return false;
  }
  return std::memcmp(&(from.*octets), &(to.*octets), sizeof(Octets)) == 0;
}

}  // namespace

bool is_address_of_this_host(const std::string& address) {
  constexpr std::uint16_t kSomePort = 25;
  if (address.contains(':')) {
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(kSomePort);
    if (::inet_pton(AF_INET6, address.c_str(), &to.sin6_addr) != 1) return false;
    if (IN6_IS_ADDR_UNSPECIFIED(&to.sin6_addr)) return true;
    return is_local(AF_INET6, to, &sockaddr_in6::sin6_addr);
  }
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(kSomePort);
  if (::inet_pton(AF_INET, address.c_str(), &to.sin_addr) != 1) return false;
  // The kernel takes 0.0.0.0 for this host, and answers for all of 127.0.0.0/8 from one address.
  constexpr std::uint32_t kLoopbackNetwork = 127;
  const auto bits = ntohl(to.sin_addr.s_addr);
  if (bits == INADDR_ANY || bits >> 24U == kLoopbackNetwork) return true;
  return is_local(AF_INET, to, &sockaddr_in::sin_addr);
}

}  // namespace sternpost::smtp_client

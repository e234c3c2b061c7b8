// The address of a connected client, as text for records, trace fields and questions.
#pragma once

#include <sys/socket.h>

#include <string>

namespace sternpost::smtpd {

struct ClientAddress {
  std::string address;   ///< "192.0.2.1" or "2001:db8::1"; an IPv4-mapped IPv6 address is written as IPv4
  std::string endpoint;  ///< "192.0.2.1:40312" or "[2001:db8::1]:40312"
  std::string network;   ///< what one client can have: the IPv4 address, or the /64 of an IPv6 one
};

/// What accept4 filled in. A family other than IPv4 and IPv6 has the address "0.0.0.0", which no rule trusts.
ClientAddress client_address(const sockaddr_storage& peer);

}  // namespace sternpost::smtpd

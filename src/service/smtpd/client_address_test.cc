#include "service/smtpd/client_address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>

namespace sternpost::smtpd {
namespace {

ClientAddress of_ipv6(const char* text) {
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(40312);
  EXPECT_EQ(::inet_pton(AF_INET6, text, &in.sin6_addr), 1);
  sockaddr_storage storage{};
  std::memcpy(&storage, &in, sizeof(in));
  return client_address(storage);
}

TEST(client_address, is_written_with_and_without_port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(25);
  in.sin_addr.s_addr = htonl(0xC0000201);
  sockaddr_storage storage{};
  std::memcpy(&storage, &in, sizeof(in));
  EXPECT_EQ(client_address(storage).address, "192.0.2.1");
  EXPECT_EQ(client_address(storage).endpoint, "192.0.2.1:25");
  EXPECT_EQ(of_ipv6("2001:db8::1").address, "2001:db8::1");
  EXPECT_EQ(of_ipv6("2001:db8::1").endpoint, "[2001:db8::1]:40312");
}

TEST(client_address, of_mapped_ipv4_is_ipv4) {
  EXPECT_EQ(of_ipv6("::ffff:192.0.2.1").address, "192.0.2.1");
  EXPECT_EQ(of_ipv6("::ffff:192.0.2.1").endpoint, "192.0.2.1:40312");
}

TEST(client_address, of_another_family_is_trusted_by_no_rule) {
  sockaddr_storage storage{};
  storage.ss_family = AF_UNIX;
  EXPECT_EQ(client_address(storage).address, "0.0.0.0");
}

}  // namespace
}  // namespace sternpost::smtpd

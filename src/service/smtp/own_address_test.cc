#include "service/smtp/own_address.h"

#include <gtest/gtest.h>

namespace sternpost::smtp_client {
namespace {

TEST(OwnAddress, KnowsTheAddressesOfThisHostFromOthers) {
  EXPECT_TRUE(is_address_of_this_host("127.0.0.1"));
  EXPECT_TRUE(is_address_of_this_host("127.7.8.9")) << "all of 127.0.0.0/8 is this host";
  EXPECT_TRUE(is_address_of_this_host("0.0.0.0")) << "the kernel connects it to this host";
  EXPECT_TRUE(is_address_of_this_host("::"));
  // TEST-NET-1 (RFC 5737): reached by the default route, or not at all.
  EXPECT_FALSE(is_address_of_this_host("192.0.2.1"));
  EXPECT_FALSE(is_address_of_this_host("2001:db8::1"));
}

TEST(OwnAddress, SaysNoToWhatIsNoAddress) {
  EXPECT_FALSE(is_address_of_this_host("mx.example.org"));
  EXPECT_FALSE(is_address_of_this_host("::g"));
  EXPECT_FALSE(is_address_of_this_host(""));
}

}  // namespace
}  // namespace sternpost::smtp_client

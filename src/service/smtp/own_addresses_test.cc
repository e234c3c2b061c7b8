#include "service/smtp/own_addresses.h"

#include <gtest/gtest.h>

namespace sternpost::smtp_client {
namespace {

TEST(OwnAddresses, AreThoseOfListenersAtTheirPorts) {
  const OwnAddresses own({{"192.0.2.1", 25}, {"198.51.100.7", 0}});
  EXPECT_TRUE(own.include("192.0.2.1", 25));
  EXPECT_FALSE(own.include("192.0.2.1", 24)) << "another server may listen there";
  EXPECT_FALSE(own.include("127.0.0.1", 25));
  EXPECT_FALSE(own.include("0.0.0.0", 25));
  EXPECT_TRUE(own.include("198.51.100.7", 2525)) << "port 0 stands for all";
  EXPECT_FALSE(own.everywhere(25));
}

TEST(OwnAddresses, OfAListenerOnAllAddressesAreWhatIsAlwaysThisHost) {
  const OwnAddresses own({{"0.0.0.0", 25}});
  for (const auto* address : {"127.0.0.1", "127.7.8.9", "::1", "0.0.0.0", "::"}) {
    EXPECT_TRUE(own.include(address, 25)) << address;
    EXPECT_FALSE(own.include(address, 24)) << address;
  }
  EXPECT_FALSE(own.include("192.0.2.1", 25)) << "only a connection tells";
  EXPECT_TRUE(own.everywhere(25));
  EXPECT_FALSE(own.everywhere(24));
  EXPECT_TRUE(OwnAddresses({{"::", 25}}).everywhere(25));
}

}  // namespace
}  // namespace sternpost::smtp_client

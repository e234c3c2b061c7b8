#include "route/network.h"

#include <gtest/gtest.h>

namespace sternpost::route {
namespace {

bool matches(std::string_view network, std::string_view address) {
  return Network::parse(network)->contains(*IpAddress::parse(address));
}

TEST(Network, ContainsWhatSharesItsPrefix) {
  EXPECT_TRUE(matches("192.0.2.0/24", "192.0.2.255"));
  EXPECT_FALSE(matches("192.0.2.0/24", "192.0.3.0"));
  EXPECT_TRUE(matches("10.32.0.0/11", "10.63.1.1"));
  EXPECT_FALSE(matches("10.32.0.0/11", "10.64.0.0"));
  EXPECT_TRUE(matches("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(matches("2001:db8::/33", "2001:db8:8000::1"));
  EXPECT_TRUE(matches("0.0.0.0/0", "203.0.113.9"));
  EXPECT_FALSE(matches("0.0.0.0/0", "2001:db8::1"));
  EXPECT_TRUE(matches("::/0", "2001:db8::1"));
}

TEST(Network, AnAddressAloneIsItself) {
  EXPECT_TRUE(matches("::1", "::1"));
  EXPECT_FALSE(matches("::1", "::2"));
  EXPECT_TRUE(matches("127.0.0.1", "127.0.0.1"));
  EXPECT_TRUE(matches("127.0.0.1/32", "127.0.0.1"));
}

TEST(Network, IPv4IsTheSameMappedOrNot) {
  EXPECT_TRUE(matches("192.0.2.0/24", "::ffff:192.0.2.7"));
  EXPECT_TRUE(matches("::ffff:192.0.2.0/120", "192.0.2.7"));
}

TEST(Network, BitsBehindThePrefixDoNotMatter) {
  EXPECT_TRUE(matches("192.0.2.77/24", "192.0.2.1"));
}

TEST(Network, PrintsInItsShortestForm) {
  for (const auto& [text, shown] : {std::pair("192.0.2.7", "192.0.2.7/32"),
                                    {"0.0.0.0/0", "0.0.0.0/0"},
                                    {"2001:DB8:0:0::/32", "2001:db8::/32"},
                                    {"::/0", "::/0"},
                                    {"::ffff:192.0.2.0/120", "192.0.2.0/24"},
                                    {"::1", "::1/128"}}) {
    EXPECT_EQ(Network::parse(text)->to_string(), shown);
  }
}

TEST(Network, TellsBitsBehindThePrefix) {
  for (const auto* text : {"192.0.2.128/25", "10.0.0.0/8", "::/0", "2001:db8::/33", "192.0.2.1"})
    EXPECT_FALSE(Network::parse(text)->has_bits_beyond()) << text;
  for (const auto* text : {"192.0.2.128/24", "127.0.0.1/8", "2001:db8::1/127"})
    EXPECT_TRUE(Network::parse(text)->has_bits_beyond()) << text;
}

TEST(Network, RefusesWhatIsNone) {
  for (const auto* text :
       {"", "/", "/8", "192.0.2.0/33", "::/129", "192.0.2/24", "192.0.2.0/", "192.0.2.0/-1", "192.0.2.0/+8",
        "192.0.2.0/8x", "192.0.2.0/0008", "example.org", "[::1]", "::1%lo"}) {
    EXPECT_FALSE(Network::parse(text)) << text;
  }
  EXPECT_FALSE(IpAddress::parse(std::string_view("127.0.0.1\0x", 11)));
  EXPECT_FALSE(IpAddress::parse(std::string(200, ':')));
}

}  // namespace
}  // namespace sternpost::route

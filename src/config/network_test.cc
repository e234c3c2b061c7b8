#include "config/network.h"

#include <gtest/gtest.h>

namespace sternpost::config {
namespace {

TEST(Endpoint, IsReadInBothFamilies) {
  EXPECT_EQ(parse_endpoint("192.0.2.1:25"), (Listener{"192.0.2.1", 25}));
  EXPECT_EQ(parse_endpoint("[2001:db8:0::1]:65535"), (Listener{"2001:db8::1", 65535}));
  EXPECT_EQ(parse_endpoint("[::]:25"), (Listener{"::", 25}));
}

TEST(Endpoint, RefusesEverythingElse) {
  using namespace std::string_view_literals;
  for (const auto text : {""sv, "25"sv, ":25"sv, "192.0.2.1"sv, "192.0.2.1:0"sv, "192.0.2.1:65536"sv,
                          "192.0.2.1:+5"sv, "::1:25"sv, "[192.0.2.1]:25"sv, "[::1:25"sv, "localhost:25"sv,
                          "192.0.2.1\0:25"sv, "[]:25"sv, "192.0.2.1: 25"sv, "192.0.2.1:25 "sv}) {
    EXPECT_FALSE(parse_endpoint(text)) << text;
  }
}

TEST(Endpoint, PrintsAsItIsRead) {
  for (const auto* text : {"192.0.2.1:25", "[2001:db8::1]:2525"}) {
    const auto endpoint = parse_endpoint(text);
    ASSERT_TRUE(endpoint);
    EXPECT_EQ(format_endpoint(*endpoint), text);
  }
}

TEST(Network, IsNormalised) {
  EXPECT_EQ(normalize_network("127.0.0.0/8"), "127.0.0.0/8");
  EXPECT_EQ(normalize_network("192.0.2.7"), "192.0.2.7/32");
  EXPECT_EQ(normalize_network("2001:DB8:0:0::/32"), "2001:db8::/32");
  EXPECT_EQ(normalize_network("0.0.0.0/0"), "0.0.0.0/0");
  EXPECT_EQ(normalize_network("::1"), "::1/128");
}

TEST(Network, RefusesBitsBeyondItsLength) {
  EXPECT_FALSE(normalize_network("127.0.0.1/8"));
  EXPECT_FALSE(normalize_network("192.0.2.128/24"));
  EXPECT_TRUE(normalize_network("192.0.2.128/25"));
  EXPECT_FALSE(normalize_network("2001:db8::1/127"));
}

TEST(Network, RefusesEverythingElse) {
  for (const auto* text :
       {"", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10/8", "10.0.0.0/-1", "10.0.0.0/8/8", "all"}) {
    EXPECT_FALSE(normalize_network(text)) << text;
  }
}

}  // namespace
}  // namespace sternpost::config

#include "protocol/smtp/client_capabilities.h"

#include <gtest/gtest.h>

namespace sternpost::smtp {
namespace {

TEST(capabilities, are_read_in_any_case_and_order) {
  const auto all = parse_capabilities(
      "mx.example.org at your service\nsize 1000\nPipeLining\n8bitmime\nHELP\n"
      "LIMITS MAILMAX=5 rcptmax=20 RCPTDOMAINMAX=1\nAUTH PLAIN LOGIN\n");
  EXPECT_EQ(all, (Capabilities{true, true, true, 1000, 20}));
  EXPECT_EQ(parse_capabilities("mx.example.org\n"), Capabilities());
  EXPECT_EQ(parse_capabilities(""), Capabilities());
}

TEST(capabilities, are_not_in_the_first_line) {
  EXPECT_EQ(parse_capabilities("PIPELINING\n"), Capabilities());
}

TEST(capabilities, that_are_malformed_say_nothing) {
  EXPECT_EQ(parse_capabilities("mx\nPIPELININGX\nX8BITMIME\n\n"), Capabilities());
  EXPECT_EQ(parse_capabilities("mx\nSIZE\n"), (Capabilities{.size = true}));
  EXPECT_EQ(parse_capabilities("mx\nSIZE 0\n"), (Capabilities{.size = true}));
  EXPECT_EQ(parse_capabilities("mx\nSIZE -1\n"), (Capabilities{.size = true}));
  EXPECT_EQ(parse_capabilities("mx\nSIZE 99999999999999999999999\n"), (Capabilities{.size = true}));
  EXPECT_EQ(parse_capabilities("mx\nSIZE 1k\n"), (Capabilities{.size = true}));
  EXPECT_EQ(parse_capabilities("mx\nLIMITS\n"), Capabilities());
  EXPECT_EQ(parse_capabilities("mx\nLIMITS RCPTMAX RCPTMAX=x RCPTMAX=99999999999\n"), Capabilities());
}

}  // namespace
}  // namespace sternpost::smtp

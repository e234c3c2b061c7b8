#include "base/dns_name.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sternpost {
namespace {

TEST(DnsName, IsInLowerCaseAndWithinItsBounds) {
  const std::string label(63, 'a');
  for (const auto& name : {std::string("a"), std::string("a-1._tcp.example"), label + "." + label,
                           fmt::format("{0}.{0}.{0}.{1}", label, std::string(61, 'b'))})
    EXPECT_TRUE(is_dns_name(name)) << name;
  for (const auto& name :
       {std::string(), std::string("."), std::string("a."), std::string(".a"), std::string("a..b"),
        std::string("A"), std::string("a b"), std::string("a\0b", 3), std::string("\xc3\xa4"),
        std::string("a/b"), label + "a", fmt::format("{0}.{0}.{0}.{1}", label, std::string(62, 'b'))})
    EXPECT_FALSE(is_dns_name(name)) << name;
}

}  // namespace
}  // namespace sternpost

// libunbound itself, as far as it needs no network; the scenarios do the rest.
#include "service/dns/unbound.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "service/dns/trust_anchor.h"

namespace sternpost::dns {
namespace {

constexpr std::uint64_t kCache = 1024 * 1024;

TEST(Unbound, TakesTheKeysOfTheRootThatDebianHas) {
  std::ifstream file("/usr/share/dns/root.key");
  if (!file) GTEST_SKIP() << "dns-root-data is not installed (`scripts/setup build` does that)";
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto anchor = parse_trust_anchor(text);
  ASSERT_TRUE(anchor) << anchor.error().text;
  boost::asio::io_context loop;
  const auto made = Unbound::make(loop, {.servers = {}, .trust_anchor = *anchor, .cache_bytes = kCache});
  EXPECT_TRUE(made) << made.error().text;
}

TEST(Unbound, RefusesAnAnchorThatIsNone) {
  boost::asio::io_context loop;
  for (const auto* record : {"hello", ". IN DS x", ". IN A 192.0.2.1"}) {
    const auto made = Unbound::make(loop, {.servers = {}, .trust_anchor = {record}, .cache_bytes = kCache});
    ASSERT_FALSE(made) << record;
    EXPECT_NE(made.error().text.find("dns.trust_anchor"), std::string::npos) << made.error().text;
  }
}

TEST(Unbound, ForgetsWhatIsOpenWhenItEnds) {
  boost::asio::io_context loop;
  auto made = Unbound::make(
      loop, {.servers = {{"127.0.0.1", 9}, {"::1", 9}}, .trust_anchor = {}, .cache_bytes = kCache});
  ASSERT_TRUE(made) << made.error().text;
  int answers = 0;
  (*made)->ask("example.org", RecordType::mx, [&](const RawAnswer&) { ++answers; });
  EXPECT_EQ((*made)->open(), 1U);
  made->reset();
  loop.run();
  EXPECT_EQ(answers, 0);
}

TEST(Unbound, WarmsUpMoreThanOnce) {
  EXPECT_TRUE(warm_up_unbound());
  EXPECT_TRUE(warm_up_unbound());
}

}  // namespace
}  // namespace sternpost::dns

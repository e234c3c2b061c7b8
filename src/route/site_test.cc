#include "route/site.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "route/next_hop.h"
#include "route/route_table.h"

namespace sternpost::route {
namespace {

TEST(site, its_text_is_read_back) {
  for (const auto* text :
       {"smtp mx 10 a.example:25 10 b.example:25 20 [2001:db8::1]:2525", "smtp mx-secure 0 a.example:25",
        "smtp mx-routed 0 a.example:25", "smtp implicit-routed-secure example.org:25",
        "smtp mx 10 mx_1.example:25", "smtp implicit example.org:25",
        "smtp host [192.0.2.1]:25 from 192.0.2.9 2001:db8::9", "lmtp host mail.example.org:24",
        "lmtp local /run/dovecot/lmtp"}) {
    const auto site = parse_site(text);
    ASSERT_TRUE(site) << text;
    EXPECT_EQ(to_string(*site), text);
  }
}

TEST(site, a_name_that_only_the_configuration_can_hold_is_read_back) {
  const std::string label(63, 'a');
  EXPECT_TRUE(parse_site(fmt::format("smtp host {0}.{0}.{0}.{0}:25", label)));
}

TEST(site, other_text_is_none) {
  std::string many = "smtp mx";
  for (int i = 0; i < 21; ++i) many += " 1 h" + std::to_string(i) + ".example:25";
  for (const std::string& text : {std::string(),
                                  std::string("smtp"),
                                  std::string("smtp host"),
                                  std::string("smtp host a.example"),
                                  std::string("smtp host a.example:0"),
                                  std::string("smtp host a.example:65536"),
                                  std::string("smtp host A.example:25"),
                                  std::string("smtp mx 10 MX_1.example:25"),
                                  std::string("smtp mx 10 a..example:25"),
                                  std::string("smtp host a.example:25 "),
                                  std::string("smtp host a.example:25 b.example:25"),
                                  std::string("smtp mx a.example:25"),
                                  std::string("smtp mx 10 a.example"),
                                  std::string("smtp mx 70000 a.example:25"),
                                  std::string("smtp mx 010 a.example:25"),
                                  std::string("smtp mx-secure-routed 10 a.example:25"),
                                  std::string("uucp host a.example:25"),
                                  std::string("lmtp local run/x"),
                                  std::string("lmtp local /") + std::string(200, 'x'),
                                  std::string("smtp host a.example:25 from"),
                                  std::string("smtp host a.example:25 from x"),
                                  std::string("smtp host a.example:25 from 192.0.2.1 192.0.2.2 192.0.2.3"),
                                  std::string("smtp host 192.0.2.1:25"),
                                  std::string("smtp host a\nb:25"),
                                  many,
                                  std::string(kMaxSiteText + 1, 'x')}) {
    EXPECT_FALSE(parse_site(text)) << text.substr(0, 60);
  }
}

TEST(site, knows_its_hosts) {
  const auto site = *parse_site("smtp mx 10 a.example:25 20 [192.0.2.1]:25");
  EXPECT_TRUE(has_host(site, "A.example"));
  EXPECT_TRUE(has_host(site, "192.0.2.1"));
  EXPECT_TRUE(has_host(site, "[192.0.2.1]"));
  EXPECT_FALSE(has_host(site, "example"));
  EXPECT_TRUE(has_host(*parse_site("smtp mx 10 mx_1.example:25"), "MX_1.example"));
  EXPECT_TRUE(has_host(*parse_site("lmtp local /run/x"), "/run/x"));
}

TEST(next_hop, is_written_as_administrators_know_it) {
  const struct {
    const char* text;
    NextHop::Kind kind;
    const char* name;
    std::uint16_t port;
    const char* normal;
  } cases[] = {
      {"Relay.Example.NET", NextHop::Kind::mx, "relay.example.net", 25, "relay.example.net"},
      {"relay.example.net:587", NextHop::Kind::mx, "relay.example.net", 587, "relay.example.net:587"},
      {"[relay.example.net]", NextHop::Kind::host, "relay.example.net", 25, "[relay.example.net]"},
      {"smtp:[192.0.2.1]:2525", NextHop::Kind::host, "192.0.2.1", 2525, "[192.0.2.1]:2525"},
      {"[IPv6:2001:DB8::1]", NextHop::Kind::host, "2001:db8::1", 25, "[2001:db8::1]"},
      {"lmtp:[127.0.0.1]", NextHop::Kind::host, "127.0.0.1", 24, "lmtp:[127.0.0.1]"},
      {"lmtp:host.example:2003", NextHop::Kind::host, "host.example", 2003, "lmtp:[host.example]:2003"},
      {"lmtp:unix:/run/dovecot/lmtp", NextHop::Kind::local, "/run/dovecot/lmtp", 0,
       "lmtp:unix:/run/dovecot/lmtp"},
  };
  for (const auto& one : cases) {
    const auto hop = parse_next_hop(one.text);
    ASSERT_TRUE(hop) << one.text;
    EXPECT_EQ(hop->kind, one.kind) << one.text;
    EXPECT_EQ(hop->name, one.name);
    EXPECT_EQ(hop->port, one.port);
    EXPECT_EQ(to_string(*hop), one.normal);
    EXPECT_EQ(parse_next_hop(one.normal), hop);
  }
  for (const auto* text : {"", "192.0.2.1", "[192.0.2.1", "[]", "[a b]", "a.example:", "a.example:x",
                           "smtp:", "unix:/run/x", "smtp:unix:/run/x", "lmtp:unix:run/x", "lmtp:unix:/a b",
                           "2001:db8::1", "[192.0.2.1]25", "a_b.example"}) {
    EXPECT_FALSE(parse_next_hop(text)) << text;
  }
}

TEST(route_table, the_nearest_pattern_counts) {
  const auto hop = *parse_next_hop("[192.0.2.1]");
  const RouteTable table({{"example.org", hop, {}, {"a", "", 1}},
                          {".example.org", hop, {}, {"b", "", 2}},
                          {".sub.example.org", hop, {}, {"c", "", 3}},
                          {"*", hop, {}, {"d", "", 4}},
                          {"*", hop, {}, {"e", "", 5}}});
  EXPECT_EQ(table.find("example.org")->rule.line, 1U);
  EXPECT_EQ(table.find("x.example.org")->rule.line, 2U);
  EXPECT_EQ(table.find("x.y.sub.example.org")->rule.line, 3U);
  EXPECT_EQ(table.find("other.org")->rule.line, 4U);
  EXPECT_EQ(table.find("[192.0.2.1]")->rule.line, 4U);
  EXPECT_EQ(RouteTable().find("example.org"), nullptr);
}

}  // namespace
}  // namespace sternpost::route

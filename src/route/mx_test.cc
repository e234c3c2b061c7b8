#include "route/mx.h"

#include <gtest/gtest.h>

namespace sternpost::route {
namespace {

MxAnswer found(std::vector<MxHost> hosts, bool secure = false) {
  return {LookupOutcome::found, secure, std::move(hosts), {}};
}

std::string text_of(const MxAnswer& answer, std::string_view next_hop_of = {}) {
  const auto site = site_of_mx({"example.org", 25, "mx.here.example", {}, next_hop_of}, answer);
  return site ? to_string(*site) : mail::to_string(site.error());
}

TEST(site_of_mx, sorts_by_preference_and_name_so_that_equal_sets_are_one_site) {
  EXPECT_EQ(text_of(found({{20, "c.example"}, {10, "b.example"}, {10, "a.example"}})),
            "smtp mx 10 a.example:25 10 b.example:25 20 c.example:25");
  EXPECT_EQ(text_of(found({{10, "A.Example"}}, true)), "smtp mx-secure 10 a.example:25");
  EXPECT_EQ(text_of(found({{20, "a.example"}, {10, "a.example"}})), "smtp mx 10 a.example:25");
}

TEST(site_of_mx, a_domain_without_mx_is_its_own_host) {
  EXPECT_EQ(text_of({LookupOutcome::no_data, true, {}, {}}), "smtp implicit-secure example.org:25");
}

TEST(site_of_mx, a_null_mx_refuses_mail) {
  EXPECT_EQ(text_of(found({{0, ""}})), "556 5.1.10 the domain example.org takes no mail (null MX)");
  EXPECT_EQ(text_of(found({{0, ""}, {10, "a.example"}})), "smtp mx 10 a.example:25") << "RFC 7505 section 3";
}

TEST(site_of_mx, only_hosts_that_are_preferred_to_us_are_tried) {
  EXPECT_EQ(
      text_of(found({{10, "a.example"}, {20, "mx.here.example"}, {20, "b.example"}, {30, "c.example"}})),
      "smtp mx 10 a.example:25");
  const auto loop = text_of(found({{10, "mx.here.example"}, {20, "b.example"}}));
  EXPECT_TRUE(loop.starts_with("554 5.4.6 ")) << loop;
}

TEST(site_of_mx, a_host_may_have_any_name_that_the_dns_can_look_up) {
  EXPECT_EQ(text_of(found({{10, "mx_1.example"}, {20, "_2.example"}})),
            "smtp mx 10 mx_1.example:25 20 _2.example:25");
  EXPECT_EQ(text_of(found({{10, "a..example"}, {20, "b/c.example"}, {30, "d.example"}})),
            "smtp mx 30 d.example:25");
}

TEST(site_of_mx, an_address_is_no_host_name) {
  EXPECT_EQ(text_of(found({{10, "192.0.2.1"}})), "550 5.4.4 no MX record of example.org names a host");
  EXPECT_EQ(text_of(found({{10, "a b"}, {20, "good.example"}})), "smtp mx 20 good.example:25");
}

TEST(site_of_mx, a_next_hop_that_takes_no_mail_is_for_the_administrator_to_mend) {
  const std::string intro = "451 4.4.4 example.org, the next hop that smarthost names: ";
  EXPECT_EQ(text_of({LookupOutcome::no_name, false, {}, {}}, "smarthost"),
            intro + "there is no domain example.org");
  EXPECT_EQ(text_of(found({{0, ""}}), "smarthost"), intro + "the domain example.org takes no mail (null MX)");
  EXPECT_EQ(text_of(found({{10, "192.0.2.1"}}), "smarthost"),
            intro + "no MX record of example.org names a host");
  EXPECT_EQ(text_of({LookupOutcome::unavailable, false, {}, "timeout"}, "smarthost"),
            "451 4.4.3 the DNS does not answer for example.org: timeout");
}

TEST(site_of_mx, the_site_of_a_next_hop_says_so) {
  EXPECT_EQ(text_of(found({{10, "a.example"}}), "routes"), "smtp mx-routed 10 a.example:25");
  EXPECT_EQ(text_of({LookupOutcome::no_data, true, {}, {}}, "routes"),
            "smtp implicit-routed-secure example.org:25");
}

TEST(site_of_mx, keeps_the_best_of_a_large_set) {
  std::vector<MxHost> hosts;
  for (std::uint16_t i = 0; i < 50; ++i) {
    hosts.push_back({static_cast<std::uint16_t>(100 - i), "h" + std::to_string(i) + ".example"});
  }
  const auto site = site_of_mx({"example.org", 25, "x", {}, {}}, found(hosts));
  ASSERT_TRUE(site);
  EXPECT_EQ(site->hosts.size(), kMaxSiteHosts);
  EXPECT_EQ(site->hosts.front().name, "h49.example");
}

TEST(site_of_mx, tells_what_is_for_good_from_what_is_for_now) {
  EXPECT_EQ(text_of({LookupOutcome::no_name, false, {}, {}}), "550 5.1.2 there is no domain example.org");
  EXPECT_EQ(text_of({LookupOutcome::unavailable, false, {}, "timeout"}),
            "451 4.4.3 the DNS does not answer for example.org: timeout");
  EXPECT_EQ(text_of({LookupOutcome::bogus, false, {}, "no signature"}),
            "451 4.7.5 what the DNS says of example.org is forged: no signature");
}

}  // namespace
}  // namespace sternpost::route

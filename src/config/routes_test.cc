// Where mail for others goes: routes, the smarthost, and whose mail is delivered here or handed on.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/codec.h"
#include "config/load.h"
#include "config/make_slices.h"
#include "config/registry.h"
#include "config/text_types.h"

namespace sternpost::config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

std::expected<Values, std::vector<std::string>> load_text(const std::string& more) {
  return load(
      {"setup = \"internet-site\"\nhostname = \"mail.example.org\"\ndomains = [\"example.org\"]\n" + more,
       "f", ""});
}

Values good(const std::string& more) {
  auto values = load_text(more);
  if (!values) ADD_FAILURE() << values.error().front();
  return values.value();
}

/// What is said of it, a line each.
std::vector<std::string> errors(const std::string& more) {
  auto values = load_text(more);
  return values ? std::vector<std::string>{} : values.error();
}

TEST(Routes, AreNextHopsOrTablesWithSources) {
  const auto values = good(
      "[routes]\n\"Example.NET\" = \"Relay.example.net\"\n\".example.net\" = \"[192.0.2.1]:2525\"\n"
      "\"lists.example.net\" = { to = \"lmtp:unix:/run/lmtp\" }\n"
      "\"*\" = { to = \"[smart.example.net]:587\", from = [\"192.0.2.9\", \"2001:DB8::9\"] }\n");
  const auto& rows = values.routes("routes");
  ASSERT_THAT(rows, SizeIs(4));
  EXPECT_EQ(rows[0].pattern, "example.net");
  EXPECT_EQ(rows[0].next_hop, "relay.example.net");
  EXPECT_EQ(rows[0].line, 5U);
  EXPECT_EQ(rows[1].pattern, ".example.net");
  EXPECT_EQ(rows[1].next_hop, "[192.0.2.1]:2525");
  EXPECT_EQ(rows[2].next_hop, "lmtp:unix:/run/lmtp");
  EXPECT_THAT(rows[2].sources, IsEmpty());
  EXPECT_EQ(rows[3].pattern, "*");
  EXPECT_THAT(rows[3].sources, ElementsAre("192.0.2.9", "2001:db8::9"));
}

TEST(Routes, RefuseWhatIsNoRouteWithItsLine) {
  struct Case {
    std::string line;
    std::string what;
  };
  const Case cases[] = {
      {"\"a b\" = \"[192.0.2.1]\"", "is no domain"},
      {"\"*.example.net\" = \"[192.0.2.1]\"", "is no domain"},
      {"\"example.net\" = \"192.0.2.1\"", "is not accepted"},
      {"\"example.net\" = \"\"", "has no next hop"},
      {"\"example.net\" = \"unix:/run/lmtp\"", "is not accepted"},
      {"\"example.net\" = \"relay.example.net:0\"", "is not accepted"},
      {"\"example.net\" = 25", "is not accepted"},
      {"\"example.net\" = [\"a.example\"]", "is not accepted"},
      {"\"example.net\" = {}", "has no next hop"},
      {"\"example.net\" = { from = [\"192.0.2.9\"] }", "has no next hop"},
      {"\"example.net\" = { to = 5 }", "is not accepted"},
      {"\"example.net\" = { to = \"[192.0.2.1]\", via = \"x\" }", "there is no such key here: via"},
      {"\"example.net\" = { to = \"[192.0.2.1]\", from = \"192.0.2.9\" }", "192.0.2.9"},
      {"\"example.net\" = { to = \"[192.0.2.1]\", from = [] }", "1 to 2 IP addresses"},
      {"\"example.net\" = { to = \"[192.0.2.1]\", from = [\"host.example\"] }", "host.example"},
      {"\"example.net\" = { to = \"[192.0.2.1]\", from = [\"::1\", \"::2\", \"::3\"] }", "1 to 2 IP"},
  };
  for (const auto& one : cases) {
    const auto said = errors("[routes]\n" + one.line + "\n");
    ASSERT_THAT(said, SizeIs(1)) << one.line;
    EXPECT_THAT(said[0], AllOf(StartsWith("f:5: routes."), HasSubstr(one.what))) << one.line;
  }
}

TEST(Routes, AreNamedOnce) {
  EXPECT_THAT(errors("[routes]\n\"example.net\" = \"[192.0.2.1]\"\n\"Example.NET\" = \"[192.0.2.2]\"\n"),
              ElementsAre(AllOf(StartsWith("f:6: routes.\"Example.NET\""), HasSubstr("is given twice"))));
}

TEST(Routes, AreATableAndBounded) {
  EXPECT_THAT(errors("routes = \"[192.0.2.1]\"\n"), ElementsAre(HasSubstr("routes")));
  const auto most = find_parameter("routes")->bounds.most;
  std::string text = "[routes]\n";
  // As short as they can be: the file has a bound too.
  for (std::uint64_t i = 0; i <= most; ++i) text += fmt::format("{:x}=\"b\"\n", i);
  EXPECT_THAT(errors(text), ElementsAre(HasSubstr("a table of 100001 entries is too long")));
}

TEST(Routes, AndTheSmarthostComeToRouterInTheirOrder) {
  const auto slices =
      make_slices(good("smarthost = \"[smart.example.net]:587\"\nrelay_domains = [\"example.net\"]\n"
                       "virtual_domains = [\"virtual.example\"]\n"
                       "smtp_client.source = [\"192.0.2.9\"]\nsmtp_client.mx_port = 2525\n"
                       "[routes]\n\"example.net\" = { to = \"[192.0.2.1]:26\", from = [\"192.0.2.8\"] }\n"
                       "\"example.com\" = \"lmtp:unix:/run/lmtp\"\n\"*\" = \"lmtp:[192.0.2.2]\"\n"));
  const auto& routes = slices.router.routes;
  ASSERT_THAT(routes, SizeIs(4));
  EXPECT_EQ(routes[0], (RouteEntry{"example.net", "[192.0.2.1]:26", {"192.0.2.8"}, {"routes", "f", 10}}));
  EXPECT_EQ(routes[2].pattern, "*");
  EXPECT_EQ(routes[3], (RouteEntry{"*", "[smart.example.net]:587", {}, {"smarthost", "f", 4}}));
  EXPECT_THAT(slices.router.relay_domains, ElementsAre("example.net"));
  EXPECT_THAT(slices.router.virtual_domains, ElementsAre("virtual.example"));
  EXPECT_THAT(slices.router.sources, ElementsAre("192.0.2.9"));
  EXPECT_EQ(slices.router.mx_port, 2525);
  EXPECT_THAT(slices.master.smtp_ports, ElementsAre(24, 26, 587, 2525)) << "what smtp may connect to";
  EXPECT_THAT(slices.master.local_sockets, ElementsAre("/run/lmtp"));
  EXPECT_EQ(decode<RouterSlice>(encode(slices.router)), slices.router);
  EXPECT_EQ(decode<MasterSlice>(encode(slices.master)), slices.master);
}

TEST(Routes, AreNoneByDefault) {
  const auto slices = make_slices(good(""));
  EXPECT_THAT(slices.router.routes, IsEmpty());
  EXPECT_THAT(slices.router.sources, IsEmpty());
  EXPECT_EQ(slices.router.mx_port, 25);
  EXPECT_THAT(slices.master.smtp_ports, ElementsAre(25));
  EXPECT_THAT(slices.master.local_sockets, IsEmpty());
}

TEST(Smarthost, IsANextHopOrNothing) {
  EXPECT_EQ(good("smarthost = \"\"\n").text("smarthost"), "");
  EXPECT_EQ(good("smarthost = \"Relay.Example.NET:587\"\n").text("smarthost"), "relay.example.net:587");
  EXPECT_THAT(errors("smarthost = \"192.0.2.1\"\n"),
              ElementsAre(AllOf(StartsWith("f:4: smarthost: "), HasSubstr("a next hop such as"))));
  EXPECT_THAT(errors("smarthost = [\"relay.example.net\"]\n"), SizeIs(1));
}

TEST(NextHop, IsWrittenInItsShortestForm) {
  EXPECT_EQ(normalize_next_hop("smtp:relay.example.net:25"), "relay.example.net");
  EXPECT_EQ(normalize_next_hop("LMTP:[127.0.0.1]:24"), "lmtp:[127.0.0.1]");
  EXPECT_EQ(normalize_next_hop("[IPv6:2001:DB8::1]:25"), "[2001:db8::1]");
  EXPECT_EQ(normalize_next_hop("lmtp:unix:relative"), std::nullopt);
  EXPECT_EQ(normalize_next_hop("[unclosed"), std::nullopt);
  EXPECT_EQ(normalize_next_hop("lmtp:unix:/" + std::string(106, 'x')), "lmtp:unix:/" + std::string(106, 'x'));
  EXPECT_EQ(normalize_next_hop("lmtp:unix:/" + std::string(107, 'x')), std::nullopt);
}

TEST(RoutePattern, IsADomainAllBelowItOrAll) {
  EXPECT_EQ(normalize_route_pattern("*"), "*");
  EXPECT_EQ(normalize_route_pattern(".Example.ORG"), ".example.org");
  EXPECT_EQ(normalize_route_pattern("example.org"), "example.org");
  EXPECT_EQ(normalize_route_pattern("."), std::nullopt);
  EXPECT_EQ(normalize_route_pattern(""), std::nullopt);
  EXPECT_EQ(normalize_route_pattern("..example.org"), std::nullopt);
}

TEST(Domains, AreDeliveredByOneRuleOrHandedOn) {
  EXPECT_THAT(errors("relay_domains = [\"example.org\"]\n"),
              ElementsAre("f:4: relay_domains: example.org is one of domains already"));
  EXPECT_THAT(errors("virtual_domains = [\"example.org\"]\n"),
              ElementsAre("f:4: virtual_domains: example.org is one of domains already"));
  EXPECT_THAT(errors("virtual_domains = [\"example.net\"]\nrelay_domains = [\"Example.net\"]\n"),
              ElementsAre("f:5: relay_domains: example.net is one of virtual_domains already"));
}

TEST(Domains, OfListedMailboxesMayBeVirtualOnes) {
  const auto slices = make_slices(
      good("virtual_domains = [\"example.net\"]\n[mailboxes.list]\n\"alice@example.net\" = \"alice\"\n"));
  EXPECT_THAT(slices.router.mailboxes, SizeIs(1));
  EXPECT_EQ(slices.router.mailbox_source, MailboxSource::system);
  EXPECT_THAT(slices.virtual_mailbox.domains, ElementsAre("example.org", "example.net"));
  EXPECT_THAT(
      errors("virtual_domains = [\"example.net\"]\n[mailboxes.list]\n\"alice@example.org\" = \"alice\"\n"),
      ElementsAre(HasSubstr("example.org is not one of the domains")))
      << "its users are those of the system";
}

TEST(Slices, TellTheClientItsBoundsAndWhereWeListen) {
  const auto slices = make_slices(
      good("[smtp]\nlisten = [\"192.0.2.1:25\"]\n[smtp_client]\nown_addresses = [\"198.51.100.1\"]\n"
           "max_sessions = 7\nmax_messages = 8\nidle_time = \"0s\"\nconnect_timeout = \"9s\"\n"
           "reply_timeout = \"10s\"\ndata_timeout = \"11s\"\nfinal_timeout = \"12s\"\nsite_concurrency = 13\n"
           "[queue]\nbounce_header = \"3 KiB\"\ndelay_warning = \"4h\"\n"));
  const auto& smtp = slices.smtp;
  EXPECT_EQ(smtp.hostname, "mail.example.org");
  EXPECT_THAT(smtp.own, ElementsAre(Listener{"192.0.2.1", 25}, Listener{"198.51.100.1", 0}));
  EXPECT_EQ(smtp.max_sessions, 7U);
  EXPECT_EQ(smtp.max_messages, 8U);
  EXPECT_EQ(smtp.idle_seconds, 0U);
  EXPECT_EQ(smtp.connect_seconds, 9U);
  EXPECT_EQ(smtp.reply_seconds, 10U);
  EXPECT_EQ(smtp.data_seconds, 11U);
  EXPECT_EQ(smtp.final_seconds, 12U);
  EXPECT_EQ(slices.qmgr.smtp_site_concurrency, 13U);
  EXPECT_EQ(slices.qmgr.warn_seconds, 4U * 3600);
  EXPECT_EQ(slices.bounce.hostname, "mail.example.org");
  EXPECT_EQ(slices.bounce.max_header_bytes, 3U * 1024);
  EXPECT_EQ(slices.spool.notice_header_bytes, 3U * 1024);
  EXPECT_EQ(decode<SmtpSlice>(encode(smtp)), smtp);
  EXPECT_EQ(decode<BounceSlice>(encode(slices.bounce)), slices.bounce);
}

TEST(Sources, AreOneOfEachFamily) {
  EXPECT_THAT(errors("[smtp_client]\nsource = [\"192.0.2.1:25\"]\n"),
              ElementsAre(AllOf(StartsWith("f:5: smtp_client.source"), HasSubstr("an IP address such as"))));
  EXPECT_THAT(errors("[smtp_client]\nsource = [\"192.0.2.1\", \"192.0.2.2\"]\n"),
              ElementsAre(AllOf(StartsWith("f:5: smtp_client.source"), HasSubstr("family"))));
  EXPECT_THAT(errors("[routes]\n\"*\" = { to = \"[::1]\", from = [\"192.0.2.1\", \"192.0.2.2\"] }\n"),
              ElementsAre(AllOf(StartsWith("f:5: routes."), HasSubstr("family"))));
}

TEST(ToToml, PrintsRoutesAsTheyAreReadBack) {
  const auto values = good(
      "[routes]\n\"example.net\" = { to = \"[192.0.2.1]\", from = [\"192.0.2.9\"] }\n\"*\" = "
      "\"a.example\"\n");
  const auto& setting = values.at("routes");
  const auto again = good("routes = " + to_toml(*setting.parameter, setting.value) + "\n");
  ASSERT_THAT(again.routes("routes"), SizeIs(2));
  EXPECT_EQ(again.routes("routes")[0].pattern, "example.net");
  EXPECT_EQ(again.routes("routes")[0].next_hop, "[192.0.2.1]");
  EXPECT_THAT(again.routes("routes")[0].sources, ElementsAre("192.0.2.9"));
  EXPECT_EQ(again.routes("routes")[1].next_hop, "a.example");
}

}  // namespace
}  // namespace sternpost::config

#include "route/router.h"

#include <gtest/gtest.h>

namespace sternpost::route {
namespace {

constexpr std::string_view kStranger = "203.0.113.5";
constexpr std::string_view kFriend = "192.0.2.5";

Settings settings(bool system_users) {
  Settings s;
  s.hostname = "mx.example.org";
  s.domains = {"example.org", "example.net"};
  s.relay_clients = {"192.0.2.0/24", "::1/128"};
  s.extension_delimiter = "+";
  s.system_users = system_users;
  s.mailboxes = {{"ann@example.org", "example.org/ann", {"mailboxes", "f", 3}},
                 {"ann+list@example.org", "lists", {"mailboxes", "f", 4}},
                 {"@example.net", "all", {"mailboxes", "f", 5}}};
  s.domains_rule = {"domains", "f", 1};
  s.relay_clients_rule = {"relay_clients", "f", 2};
  s.mailbox_rule = {"mailbox_source", "", 0};
  s.postmaster_rule = {"postmaster", "", 0};
  return s;
}

mail::Mailbox box(std::string_view text) {
  return *mail::Mailbox::from_wire(text);
}

Ruling verify(const Router& router, std::string_view recipient, std::string_view client = kStranger,
              const Known& known = {}) {
  return std::get<Ruling>(router.verify(client, box(recipient), known));
}

TEST(Router, ListedMailboxesMatchLongestFirst) {
  const auto router = *Router::make(settings(false));
  EXPECT_EQ(verify(router, "ann@example.org").rule.line, 3U);
  EXPECT_EQ(verify(router, "ann+other@example.org").rule.line, 3U);
  EXPECT_EQ(verify(router, "ann+list@example.org").rule.line, 4U);
  EXPECT_EQ(verify(router, "ANN+List@Example.ORG").rule.line, 4U);
  EXPECT_EQ(verify(router, "whoever@example.net").rule.line, 5U);
}

TEST(Router, AListedMailboxThatNeedsQuotesMatchesWhateverIsQuoted) {
  auto s = settings(false);
  s.mailboxes.push_back({"\"a b\"@example.org", "spaced", {"mailboxes", "f", 6}});
  s.mailboxes.push_back({"\"x@y\"@example.org", "at", {"mailboxes", "f", 7}});
  const auto router = *Router::make(std::move(s));
  EXPECT_EQ(verify(router, "\"A b\"@example.org").rule.line, 6U);
  EXPECT_EQ(verify(router, "\"a\\ b\"@example.org").rule.line, 6U);
  EXPECT_EQ(verify(router, "\"a b+list\"@example.org").rule.line, 6U);
  EXPECT_EQ(verify(router, "\"x@y\"@example.org").rule.line, 7U);
  EXPECT_EQ(verify(router, "\"ann\"@example.org").rule.line, 3U);
}

TEST(Router, AnUnknownMailboxIsRefused) {
  const auto router = *Router::make(settings(false));
  const auto ruling = verify(router, "bob@example.org");
  EXPECT_EQ(ruling.reply.code, 550);
  EXPECT_EQ(ruling.reply.status, (mail::EnhancedStatus{5, 1, 1}));
  EXPECT_EQ(ruling.rule.name, "mailbox_source");
  EXPECT_EQ(verify(router, "annx@example.org").reply.code, 550);
}

TEST(Router, OtherDomainsAreTakenFromRelayClientsAndRelayDomainsFromEveryone) {
  auto s = settings(false);
  s.relay_domains = {"backup.example"};
  s.relay_domains_rule = {"relay_domains", "f", 9};
  const auto router = *Router::make(std::move(s));
  const auto stranger = verify(router, "ann@elsewhere.example");
  EXPECT_EQ(stranger.reply.status, (mail::EnhancedStatus{5, 7, 1}));
  EXPECT_EQ(stranger.rule.name, "relay_clients");
  EXPECT_EQ(verify(router, "ann@elsewhere.example", "nonsense").reply.code, 550);
  for (const auto client : {kFriend, std::string_view("::ffff:192.0.2.9"), std::string_view("::1")}) {
    const auto relay = verify(router, "ann@elsewhere.example", client);
    EXPECT_EQ(relay.reply.code, 250);
    EXPECT_EQ(relay.rule.name, "relay_clients");
  }
  const auto backup = verify(router, "ann@Backup.Example");
  EXPECT_EQ(backup.reply.code, 250);
  EXPECT_EQ(backup.rule.name, "relay_domains");
  EXPECT_EQ(verify(router, "ann@below.backup.example").reply.code, 550);
}

TEST(Router, VirtualDomainsHaveListedMailboxesBesideTheSystemsUsers) {
  auto s = settings(true);
  s.virtual_domains = {"virtual.example"};
  s.mailboxes.push_back({"ann@virtual.example", "virtual/ann", {"mailboxes.list", "f", 8}});
  s.list_rule = {"mailboxes.list", "f", 7};
  const auto router = *Router::make(std::move(s));
  EXPECT_EQ(verify(router, "ann+x@virtual.example").rule.line, 8U);
  EXPECT_EQ(verify(router, "bob@virtual.example").rule.line, 7U);
  EXPECT_EQ(verify(router, "postmaster@virtual.example").reply.code, 250);
  EXPECT_TRUE(std::holds_alternative<NeedUser>(router.verify(kStranger, box("ann@example.org"), {})));
}

Settings with_routes() {
  auto s = settings(false);
  const auto route = [](std::string pattern, std::string_view hop, std::uint32_t line) {
    return Route{std::move(pattern), *parse_next_hop(hop), {}, {"routes", "f", line}};
  };
  s.routes = {route("one.example", "[192.0.2.7]:2525", 1), route(".example", "relay.example.net", 2),
              route("list.example", "lmtp:unix:/run/lists", 3)};
  s.routes[0].sources = {"192.0.2.99"};
  s.sources = {"192.0.2.98"};
  return s;
}

TEST(Router, RoutesGoBeforeTheDns) {
  const auto router = *Router::make(with_routes());
  const auto routed = [&](std::string_view recipient, const Known& known = {}) {
    return std::get<Ruling>(router.route(box(recipient), known));
  };
  const auto one = routed("x@one.example");
  EXPECT_EQ(one.agent, Agent::smtp);
  EXPECT_EQ(one.site, "smtp host [192.0.2.7]:2525 from 192.0.2.99");
  EXPECT_EQ(one.rule.line, 1U);
  EXPECT_EQ(routed("x@list.example").site, "lmtp local /run/lists");
  const auto needed = router.route(box("x@other.example"), {});
  ASSERT_TRUE(std::holds_alternative<NeedMx>(needed));
  EXPECT_EQ(std::get<NeedMx>(needed).domain, "relay.example.net");
  const Known known{{}, {{"relay.example.net", {LookupOutcome::no_data, false, {}, ""}}}};
  EXPECT_EQ(routed("x@other.example", known).site,
            "smtp implicit-routed relay.example.net:25 from 192.0.2.98");
}

TEST(Router, ANextHopThatDoesNotExistKeepsTheMailAndARecipientsDomainDoesNot) {
  const auto router = *Router::make(with_routes());
  const MxAnswer none{LookupOutcome::no_name, false, {}, ""};
  const Known known{{}, {{"relay.example.net", none}, {"elsewhere.org", none}}};
  const auto held = std::get<Ruling>(router.route(box("x@other.example"), known));
  EXPECT_EQ(
      mail::to_string(held.reply),
      "451 4.4.4 relay.example.net, the next hop that routes names: there is no domain relay.example.net");
  EXPECT_EQ(held.rule.line, 2U);
  EXPECT_EQ(std::get<Ruling>(router.route(box("x@elsewhere.org"), known)).reply.status,
            (mail::EnhancedStatus{5, 1, 2}));
}

TEST(Router, WithoutARouteMailGoesWhereTheDnsSays) {
  const auto router = *Router::make(with_routes());
  const auto needed = router.route(box("x@Elsewhere.ORG"), {});
  ASSERT_TRUE(std::holds_alternative<NeedMx>(needed));
  EXPECT_EQ(std::get<NeedMx>(needed).domain, "elsewhere.org");
  const Known known{{},
                    {{"elsewhere.org", {LookupOutcome::found, true, {{20, "b.org"}, {10, "a.org"}}, ""}}}};
  const auto ruling = std::get<Ruling>(router.route(box("x@elsewhere.org"), known));
  EXPECT_EQ(ruling.site, "smtp mx-secure 10 a.org:25 20 b.org:25 from 192.0.2.98");
  EXPECT_EQ(ruling.rule.name, "RFC 5321 5.1");
  const auto literal = std::get<Ruling>(router.route(box("x@[192.0.2.55]"), {}));
  EXPECT_EQ(literal.site, "smtp host [192.0.2.55]:25 from 192.0.2.98");
}

TEST(Router, AddressLiteralsAreNotOurs) {
  const auto router = *Router::make(settings(false));
  EXPECT_EQ(verify(router, "ann@[192.0.2.1]").reply.code, 550);
  EXPECT_EQ(verify(router, "postmaster@[192.0.2.1]").reply.code, 550);
}

TEST(Router, PostmasterIsAlwaysAcceptedAtOurNamesOnly) {
  for (const bool system_users : {true, false}) {
    const auto router = *Router::make(settings(system_users));
    for (const auto* text : {"postmaster", "PostMaster@example.org", "POSTMASTER@mx.example.org",
                             "postmaster+dsn@example.net"}) {
      const auto ruling = verify(router, text);
      EXPECT_EQ(ruling.reply.code, 250) << text;
      EXPECT_EQ(ruling.rule.name, "postmaster");
      EXPECT_EQ(std::get<Ruling>(router.route(box(text), {})).site, kVirtualSite);
    }
    EXPECT_EQ(verify(router, "postmaster@elsewhere.example").reply.code, 550);
    EXPECT_EQ(verify(router, "ann@mx.example.org").reply.code, 550);
  }
}

TEST(Router, ASystemUserIsAskedForWithoutCaseAndExtension) {
  const auto router = *Router::make(settings(true));
  const auto asked = router.verify(kStranger, box("Ann+x@example.org"), {});
  ASSERT_TRUE(std::holds_alternative<NeedUser>(asked));
  EXPECT_EQ(std::get<NeedUser>(asked).name, "ann");
  EXPECT_EQ(verify(router, "Ann+x@example.org", kStranger, {{{"ann", UserState::exists}}, {}}).reply.code,
            250);
  EXPECT_EQ(verify(router, "ann@example.org", kStranger, {{{"ann", UserState::unknown}}, {}}).reply.code,
            550);
  const auto away = verify(router, "ann@example.org", kStranger, {{{"ann", UserState::unavailable}}, {}});
  EXPECT_EQ(away.reply.code, 451);
  EXPECT_EQ(away.reply.status, (mail::EnhancedStatus{4, 3, 0}));
}

TEST(Router, WhatCannotBeAUserIsNeverAskedFor) {
  const auto router = *Router::make(settings(true));
  for (const auto* text : {"\"../root\"@example.org", "\"a b\"@example.org", "-f@example.org",
                           "a/b@example.org", "\".x\"@example.org"}) {
    EXPECT_EQ(verify(router, text).reply.code, 550) << text;
  }
  EXPECT_TRUE(is_user_name(std::string(64, 'a')));
  EXPECT_FALSE(is_user_name(std::string(65, 'a')));
  EXPECT_FALSE(is_user_name(""));
  EXPECT_FALSE(is_user_name(std::string_view("a\0b", 3)));
}

TEST(Router, ARecipientWhoseMailboxIsGoneFailsForGood) {
  const auto router = *Router::make(settings(false));
  EXPECT_EQ(std::get<Ruling>(router.route(box("gone@example.org"), {})).reply.code, 550);
  const auto found = std::get<Ruling>(router.route(box("ann@example.org"), {}));
  EXPECT_EQ(found.reply.code, 250);
  EXPECT_EQ(found.site, kVirtualSite);
}

TEST(Router, ARelayClientThatIsNoNetworkIsRefused) {
  auto s = settings(true);
  s.relay_clients.emplace_back("192.0.2.0/40");
  EXPECT_FALSE(Router::make(s));
}

}  // namespace
}  // namespace sternpost::route

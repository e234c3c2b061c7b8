#include "service/smtp/itinerary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace sternpost::smtp_client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

HostAddresses at(std::vector<std::string> addresses) {
  return {dns::Outcome::found, std::move(addresses), {}};
}

HostAddresses nothing(dns::Outcome outcome, std::string why = {}) {
  return {outcome, {}, std::move(why)};
}

class ItineraryTest : public testing::Test {
 protected:
  [[nodiscard]] std::expected<std::vector<Endpoint>, mail::Reply> plan(
      const std::string& site, const std::vector<HostAddresses>& hosts) const {
    const auto parsed = route::parse_site(site);
    EXPECT_TRUE(parsed) << site;
    return plan_itinerary(*parsed, hosts,
                          {[this](std::string_view address, std::uint16_t port) {
                             return own.contains(std::string(address) + ":" + std::to_string(port));
                           },
                           [this](const Endpoint& endpoint) { return down.contains(endpoint.address); },
                           [this](std::size_t below) { return std::min(chosen, below - 1); }});
  }

  /// The addresses in their order, or the reply.
  [[nodiscard]] std::vector<std::string> order(const std::string& site,
                                               const std::vector<HostAddresses>& hosts) const {
    const auto planned = plan(site, hosts);
    if (!planned) return {to_string(planned.error())};
    std::vector<std::string> addresses;
    for (const auto& endpoint : *planned) addresses.push_back(endpoint.address);
    return addresses;
  }

  std::set<std::string> own;
  std::set<std::string> down;
  std::size_t chosen = 1'000;  ///< the last of those that there are: nothing is shuffled
};

TEST_F(ItineraryTest, BetterPreferencesComeFirst) {
  EXPECT_THAT(order("smtp mx 10 a.example:25 20 b.example:25 30 c.example:25",
                    {at({"192.0.2.1"}), at({"192.0.2.2"}), at({"192.0.2.3"})}),
              ElementsAre("192.0.2.1", "192.0.2.2", "192.0.2.3"));
}

TEST_F(ItineraryTest, EqualHostsAreShuffledAndBetterOnesStayBefore) {
  const std::string site = "smtp mx 5 best.example:25 10 a.example:25 10 b.example:25";
  const std::vector<HostAddresses> hosts = {at({"192.0.2.1"}), at({"192.0.2.2"}), at({"192.0.2.3"})};
  EXPECT_THAT(order(site, hosts), ElementsAre("192.0.2.1", "192.0.2.2", "192.0.2.3"));
  chosen = 0;
  std::vector<std::string> first = order(site, hosts);
  EXPECT_EQ(first.front(), "192.0.2.1");
  EXPECT_THAT(first, testing::UnorderedElementsAre("192.0.2.1", "192.0.2.2", "192.0.2.3"));
  // Some choice has to bring each of the two to the front.
  std::set<std::string> seconds;
  for (chosen = 0; chosen < 3; ++chosen) seconds.insert(order(site, hosts).at(1));
  EXPECT_THAT(seconds, ElementsAre("192.0.2.2", "192.0.2.3"));
}

TEST_F(ItineraryTest, AddressesOfOneHostStayTogetherInTheirOrder) {
  EXPECT_THAT(order("smtp mx 10 a.example:25 10 b.example:25",
                    {at({"2001:db8::1", "192.0.2.1"}), at({"2001:db8::2", "192.0.2.2"})}),
              ElementsAre("2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2"));
}

TEST_F(ItineraryTest, WhatCouldNotBeReachedAMomentAgoIsTriedLast) {
  down = {"192.0.2.1"};
  EXPECT_THAT(order("smtp mx 10 a.example:25 20 b.example:25", {at({"192.0.2.1"}), at({"192.0.2.2"})}),
              ElementsAre("192.0.2.2", "192.0.2.1"));
  down = {"192.0.2.1", "192.0.2.2"};
  EXPECT_THAT(order("smtp mx 10 a.example:25 20 b.example:25", {at({"192.0.2.1"}), at({"192.0.2.2"})}),
              ElementsAre("192.0.2.1", "192.0.2.2"))
      << "where all are down, one must be tried nevertheless";
}

TEST_F(ItineraryTest, WhereWeAreAmongTheHostsOnlyBetterOnesAreTried) {
  own = {"192.0.2.2:25"};
  const std::string site = "smtp mx 10 a.example:25 20 us.example:25 20 peer.example:25 30 worse.example:25";
  EXPECT_THAT(order(site, {at({"192.0.2.1"}), at({"192.0.2.2"}), at({"192.0.2.3"}), at({"192.0.2.4"})}),
              ElementsAre("192.0.2.1"));
  own = {"192.0.2.1:25"};
  EXPECT_THAT(order(site, {at({"192.0.2.1"}), at({"192.0.2.2"}), at({"192.0.2.3"}), at({"192.0.2.4"})}),
              ElementsAre("554 5.4.6 mail for a.example loops back to this server"));
  own = {"192.0.2.1:2525"};
  EXPECT_THAT(order(site, {at({"192.0.2.1"}), at({"192.0.2.2"}), at({"192.0.2.3"}), at({"192.0.2.4"})}),
              SizeIs(4))
      << "another port of this host is another server";
}

TEST_F(ItineraryTest, NoMoreAddressesAreTriedThanTheBound) {
  std::vector<std::string> many;
  for (int i = 1; i < 20; ++i) many.push_back("192.0.2." + std::to_string(i));
  EXPECT_THAT(order("smtp host a.example:25", {at(many)}),
              ElementsAre("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"));
  static_assert(kMaxEndpoints == 5);
}

TEST_F(ItineraryTest, TheFamiliesOfAHostTakeTurns) {
  EXPECT_THAT(
      order("smtp mx 10 a.example:25", {at({"2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4",
                                            "2001:db8::5", "192.0.2.1", "192.0.2.2"})}),
      ElementsAre("2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "2001:db8::3"));
  down = {"2001:db8::1", "2001:db8::2", "2001:db8::3"};
  EXPECT_THAT(order("smtp mx 10 a.example:25",
                    {at({"2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4", "192.0.2.1"})}),
              ElementsAre("192.0.2.1", "2001:db8::4", "2001:db8::1", "2001:db8::2", "2001:db8::3"));
}

TEST_F(ItineraryTest, ManyAddressesOfTheBestPreferenceLeaveRoomForABackup) {
  const auto best = at({"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6"});
  EXPECT_THAT(order("smtp mx 10 a.example:25 20 b.example:25", {best, at({"2001:db8::9", "192.0.2.9"})}),
              ElementsAre("192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::9", "192.0.2.9"))
      << "of both families, for one of them may not work here";
  EXPECT_THAT(order("smtp mx 10 a.example:25 20 b.example:25", {best, at({"192.0.2.9"})}),
              ElementsAre("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.9"));
  EXPECT_THAT(order("smtp mx 10 a.example:25 10 b.example:25 20 c.example:25",
                    {best, at({"192.0.2.8"}), at({"192.0.2.9"})}),
              ElementsAre("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.8", "192.0.2.9"));
  EXPECT_THAT(order("smtp mx 10 a.example:25 10 b.example:25", {best, at({"192.0.2.8"})}),
              ElementsAre("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.8"));
}

TEST_F(ItineraryTest, NoRoomIsLeftForABackupThatCouldNotBeReachedAMomentAgo) {
  const auto best = at({"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"});
  down = {"192.0.2.9"};
  EXPECT_THAT(order("smtp mx 10 a.example:25 20 b.example:25", {best, at({"192.0.2.9"})}),
              ElementsAre("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"));
}

TEST_F(ItineraryTest, AConnectionComesFromTheSourceOfItsFamily) {
  const auto both =
      plan("smtp host a.example:25 from 192.0.2.99 2001:db8::99", {at({"2001:db8::1", "192.0.2.1"})});
  ASSERT_TRUE(both);
  ASSERT_THAT(*both, SizeIs(2));
  EXPECT_EQ(both->at(0).source, "2001:db8::99");
  EXPECT_EQ(both->at(1).source, "192.0.2.99");
  EXPECT_THAT(order("smtp host a.example:25 from 192.0.2.99", {at({"2001:db8::1", "192.0.2.1"})}),
              ElementsAre("192.0.2.1"));
  const auto none = plan("smtp host a.example:25 from 192.0.2.99", {at({"2001:db8::1"})});
  ASSERT_FALSE(none);
  EXPECT_EQ(to_string(none.error().status), "4.4.0");
  EXPECT_TRUE(none.error().temporary()) << "the administrator can mend it";
}

TEST_F(ItineraryTest, TheReplySaysWhyThereIsNoAddress) {
  const std::string site = "smtp mx 10 a.example:25 20 b.example:25";
  using enum dns::Outcome;
  EXPECT_THAT(order(site, {nothing(no_data), nothing(no_name)}),
              ElementsAre("550 5.4.4 the host a.example has no address"));
  EXPECT_THAT(order(site, {nothing(no_name), nothing(unavailable, "no answer in time")}),
              ElementsAre("451 4.4.3 the DNS does not answer for b.example: no answer in time"))
      << "one that may have an address keeps the mail";
  EXPECT_THAT(order(site, {nothing(bogus, "bad signature"), nothing(no_name)}),
              ElementsAre("451 4.7.5 what the DNS says of a.example is forged: bad signature"));
  EXPECT_THAT(order(site, {nothing(unavailable, "x"), at({"192.0.2.2"})}), ElementsAre("192.0.2.2"));
}

TEST_F(ItineraryTest, ANextHopWithoutAddressKeepsTheMail) {
  using enum dns::Outcome;
  for (const auto* site : {"smtp host a.example:25", "lmtp host a.example:24",
                           "smtp implicit-routed a.example:25", "smtp mx-routed 10 a.example:25"}) {
    EXPECT_THAT(
        order(site, {nothing(no_name)}),
        ElementsAre(
            "451 4.4.4 the host a.example of the next hop that a route or smarthost names has no address"))
        << site;
  }
  EXPECT_THAT(order("smtp implicit a.example:25", {nothing(no_data)}),
              ElementsAre("550 5.4.4 the host a.example has no address"));
}

TEST_F(ItineraryTest, AnEndpointIsQuotedByNameAndAddress) {
  const auto named = plan("smtp host a.example:2525", {at({"192.0.2.1"})});
  ASSERT_TRUE(named);
  EXPECT_EQ(to_remote(named->front()), "a.example [192.0.2.1]");
  EXPECT_EQ(to_string(named->front()), "a.example [192.0.2.1]:2525");
  const auto address = plan("smtp host [192.0.2.1]:25", {at({"192.0.2.1"})});
  ASSERT_TRUE(address);
  EXPECT_EQ(to_remote(address->front()), "[192.0.2.1]");
  const auto local = plan("lmtp local /run/lmtp", {at({"/run/lmtp"})});
  ASSERT_TRUE(local);
  EXPECT_EQ(local->front().port, 0);
  EXPECT_EQ(to_remote(local->front()), "/run/lmtp");
  EXPECT_EQ(to_string(local->front()), "/run/lmtp");
}

}  // namespace
}  // namespace sternpost::smtp_client

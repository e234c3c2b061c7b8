#include "service/dns/answer_parser.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/dns_name.h"
#include "service/dns/name.h"
#include "service/dns/packet_builder.h"

namespace sternpost::dns {
namespace {

constexpr auto kMx = RecordType::mx;
constexpr auto kName = "example.org";

Answer parse(const std::string& packet, Security security = Security::insecure, RecordType type = kMx) {
  return parse_answer({.packet = packet, .security = security}, kName, type);
}

PacketBuilder mx_packet() {
  return {kName, kMx};
}

TEST(AnswerParser, SortsMxRecordsByPreferenceThenNameWithoutDoubles) {
  const auto answer = parse(mx_packet()
                                .mx(kName, 20, "b.example")
                                .mx(kName, 10, "Z.Example")
                                .mx(kName, 10, "a.example")
                                .mx(kName, 10, "z.example")
                                .bytes(),
                            Security::secure);
  EXPECT_EQ(answer.outcome, Outcome::found);
  EXPECT_TRUE(answer.secure);
  EXPECT_EQ(answer.ttl, 600U);
  EXPECT_EQ(answer.canonical, kName);
  EXPECT_EQ(answer.mx, (std::vector<MxRecord>{{10, "a.example"}, {10, "z.example"}, {20, "b.example"}}));
  EXPECT_TRUE(answer.why.empty());
}

TEST(AnswerParser, ComparesNamesWithoutRegardToCase) {
  const auto answer = parse(PacketBuilder("ExAmPlE.oRg", kMx).mx("EXAMPLE.ORG", 1, "Mx.EXAMPLE").bytes());
  EXPECT_EQ(answer.outcome, Outcome::found);
  EXPECT_EQ(answer.mx, (std::vector<MxRecord>{{1, "mx.example"}}));
}

TEST(AnswerParser, KeepsTheBestOfTooManyRecords) {
  auto packet = mx_packet();
  for (unsigned n = 200; n > 0; --n) packet.mx(kName, n, fmt::format("mx{}.example", n));
  const auto answer = parse(packet.bytes());
  ASSERT_EQ(answer.mx.size(), kMostMx);
  EXPECT_EQ(answer.mx.front(), (MxRecord{1, "mx1.example"}));
  EXPECT_EQ(answer.mx.back(), (MxRecord{64, "mx64.example"}));
}

TEST(AnswerParser, TheLargestAnswerFitsAFrame) {
  const std::string label(63, 'a');
  auto packet = mx_packet();
  for (unsigned n = 0; n < kMostMx; ++n)
    packet.mx(kName, n, fmt::format("{0}.{0}.{0}.{1}", label, std::string(61, 'b')));
  auto answer = parse(packet.bytes());
  ASSERT_EQ(answer.mx.size(), kMostMx);
  ASSERT_EQ(answer.mx[0].host.size(), kLongestDnsName);
  answer.addresses.assign(kMostAddresses, "2001:db8:1111:2222:3333:4444:5555:6666");
  answer.why.assign(kLongestWhy, 'x');
  answer.canonical.assign(kLongestDnsName, 'a');
  EXPECT_LT(encode(answer).size(), kMaxFrame);
}

TEST(AnswerParser, FollowsAliasesToTheRecordsAtTheirEndAlone) {
  const auto answer = parse(mx_packet()
                                .answer("two.example", PacketBuilder::kCname, 50, wire_name("Three.example"))
                                .answer(kName, PacketBuilder::kCname, 70, wire_name("two.example"))
                                .mx("three.example", 5, "mx.example")
                                .mx("stranger.example", 1, "evil.example")
                                .mx(kName, 1, "evil.example")
                                .bytes());
  EXPECT_EQ(answer.outcome, Outcome::found);
  EXPECT_EQ(answer.canonical, "three.example");
  EXPECT_EQ(answer.ttl, 50U);
  EXPECT_EQ(answer.mx, (std::vector<MxRecord>{{5, "mx.example"}}));
}

TEST(AnswerParser, AnAliasToNothingIsNoData) {
  const auto answer = parse(mx_packet()
                                .answer(kName, PacketBuilder::kCname, 70, wire_name("two.example"))
                                .soa("example", 30, 40)
                                .bytes());
  EXPECT_EQ(answer.outcome, Outcome::no_data);
  EXPECT_EQ(answer.canonical, "two.example");
  EXPECT_EQ(answer.ttl, 30U);
}

TEST(AnswerParser, AliasesInACircleAreUnavailable) {
  const auto answer = parse(mx_packet()
                                .answer(kName, PacketBuilder::kCname, 70, wire_name("two.example"))
                                .answer("two.example", PacketBuilder::kCname, 70, wire_name(kName))
                                .bytes());
  EXPECT_EQ(answer.outcome, Outcome::unavailable);
}

TEST(AnswerParser, AChainOfAliasesIsBounded) {
  for (const auto& [length, outcome] : {std::pair(16, Outcome::found), std::pair(17, Outcome::unavailable)}) {
    auto packet = mx_packet();
    std::string owner = kName;
    for (int i = 0; i < length; ++i) {
      const auto target = fmt::format("n{}.example", i);
      packet.answer(owner, PacketBuilder::kCname, 70, wire_name(target));
      owner = target;
    }
    EXPECT_EQ(parse(packet.mx(owner, 1, "mx.example").bytes()).outcome, outcome) << length;
  }
}

TEST(AnswerParser, ReadsANullMxAndLeavesOutHostsThatCannotBe) {
  EXPECT_EQ(parse(mx_packet().mx(kName, 0, "").bytes()).mx, (std::vector<MxRecord>{{0, ""}}));
  const auto odd = parse(mx_packet().mx(kName, 0, "bad host.example").mx(kName, 0, "a\\b").bytes());
  EXPECT_EQ(odd.outcome, Outcome::found);
  EXPECT_TRUE(odd.mx.empty());
}

TEST(AnswerParser, ReadsAddressesOfBothFamilies) {
  const std::string v4("\xc0\x00\x02\x01", 4);
  const std::string v6("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
  const auto a = parse(PacketBuilder(kName, RecordType::a).answer(kName, 1, 60, v4).bytes(), Security::secure,
                       RecordType::a);
  EXPECT_EQ(a.addresses, (std::vector<std::string>{"192.0.2.1"}));
  const auto aaaa = parse(PacketBuilder(kName, RecordType::aaaa).answer(kName, 28, 60, v6).bytes(),
                          Security::secure, RecordType::aaaa);
  EXPECT_EQ(aaaa.addresses, (std::vector<std::string>{"2001:db8::1"}));
  for (const auto* wrong : {&v4, &v6}) {
    const auto type = wrong == &v4 ? RecordType::aaaa : RecordType::a;
    const auto packet =
        PacketBuilder(kName, type).answer(kName, static_cast<unsigned>(type), 60, *wrong).bytes();
    EXPECT_EQ(parse(packet, Security::secure, type).outcome, Outcome::unavailable);
  }
}

TEST(AnswerParser, LeavesOutIpv4AddressesInTheClothesOfIpv6) {
  const std::string mapped("\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x01", 16);
  const std::string v6("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
  auto packet = PacketBuilder(kName, RecordType::aaaa).answer(kName, 28, 60, mapped);
  EXPECT_EQ(parse(packet.bytes(), Security::secure, RecordType::aaaa).outcome, Outcome::no_data);
  packet.answer(kName, 28, 60, v6);
  EXPECT_EQ(parse(packet.bytes(), Security::secure, RecordType::aaaa).addresses,
            (std::vector<std::string>{"2001:db8::1"}));
}

TEST(AnswerParser, BoundsTheAddressesOfAFamily) {
  auto packet = PacketBuilder(kName, RecordType::a);
  for (int n = 0; n < 100; ++n)
    packet.answer(kName, 1, 60, std::string("\x0a\0\0", 3) + static_cast<char>(n));
  EXPECT_EQ(parse(packet.bytes(), Security::insecure, RecordType::a).addresses.size(), kMostAddresses / 2);
}

TEST(AnswerParser, TellsNegativeAnswersApartWithTheirTime) {
  const auto no_data = parse(mx_packet().soa("org", 900, 300).bytes(), Security::secure);
  EXPECT_EQ(no_data.outcome, Outcome::no_data);
  EXPECT_TRUE(no_data.secure);
  EXPECT_EQ(no_data.ttl, 300U);
  const auto no_name = parse(mx_packet().flags(kNxdomain).soa("org", 200, 300).bytes());
  EXPECT_EQ(no_name.outcome, Outcome::no_name);
  EXPECT_FALSE(no_name.secure);
  EXPECT_EQ(no_name.ttl, 200U);
  EXPECT_EQ(parse(mx_packet().flags(kNxdomain).bytes()).ttl, 0U) << "without an SOA record";
  EXPECT_EQ(parse(mx_packet().soa("org", 4'000'000'000U, 4'000'000'000U).bytes()).ttl, 7U * 86'400U);
}

TEST(AnswerParser, TellsFailuresApart) {
  const auto packet = mx_packet().mx(kName, 1, "mx.example").bytes();
  const auto bogus = parse_answer(
      {.packet = packet, .security = Security::bogus, .why_bogus = "signature\nexpired"}, kName, kMx);
  EXPECT_EQ(bogus.outcome, Outcome::bogus);
  EXPECT_TRUE(bogus.mx.empty());
  EXPECT_NE(bogus.why.find("signature\\x0aexpired"), std::string::npos) << bogus.why;
  const auto failed = parse_answer({.rcode = 2}, kName, kMx);
  EXPECT_EQ(failed.outcome, Outcome::unavailable);
  EXPECT_NE(failed.why.find("SERVFAIL"), std::string::npos);
  EXPECT_EQ(parse(mx_packet().flags(kServfail).bytes()).outcome, Outcome::unavailable);
  const auto cut = parse(mx_packet().flags(kTruncated).mx(kName, 1, "mx.example").bytes());
  EXPECT_EQ(cut.outcome, Outcome::unavailable);
  EXPECT_TRUE(cut.mx.empty());
}

TEST(AnswerParser, ALongReasonIsBounded) {
  const std::string why(10'000, '\n');
  const auto answer = parse_answer({.security = Security::bogus, .why_bogus = why}, kName, kMx);
  EXPECT_EQ(answer.why.size(), kLongestWhy);
}

TEST(AnswerParser, RefusesTheAnswerToAnotherQuestion) {
  EXPECT_EQ(parse(PacketBuilder("example.com", kMx).mx(kName, 1, "mx.example").bytes()).outcome,
            Outcome::unavailable);
  EXPECT_EQ(parse(PacketBuilder(kName, RecordType::a).mx(kName, 1, "mx.example").bytes()).outcome,
            Outcome::unavailable);
}

TEST(AnswerParser, APacketCutAnywhereIsUnavailable) {
  const auto whole = mx_packet()
                         .answer(kName, PacketBuilder::kCname, 9, wire_name("x.example"))
                         .mx("x.example", 1, "y")
                         .bytes();
  ASSERT_EQ(parse(whole).outcome, Outcome::found);
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(parse(whole.substr(0, size)).outcome, Outcome::unavailable) << size;
  EXPECT_EQ(parse(std::string(70'000, '\0')).outcome, Outcome::unavailable);
}

TEST(AnswerParser, ANameThatPointsAtItselfIsUnavailable) {
  const auto at = mx_packet().bytes().size();
  std::string pointer;
  put16(pointer, 0xc000U | static_cast<unsigned>(at));
  const auto owner = mx_packet().answer_with_owner(pointer, 15, 60, wire_mx(1, "mx.example")).bytes();
  EXPECT_EQ(parse(owner).outcome, Outcome::unavailable);
  std::string data;
  put16(data, 1);
  const auto of_data = at + wire_name(kName).size() + 10 + 2;
  put16(data, 0xc000U | static_cast<unsigned>(of_data));
  const auto host = mx_packet().answer(kName, 15, 60, data).bytes();
  EXPECT_EQ(parse(host).outcome, Outcome::unavailable);
}

TEST(AnswerParser, ANameThatReachesBeyondItsRecordIsUnavailable) {
  auto data = wire_mx(1, "mx.example");
  const auto short_by_one =
      mx_packet().answer(kName, 15, 60, data.substr(0, data.size() - 1)).mx(kName, 2, "x");
  EXPECT_EQ(parse(short_by_one.bytes()).outcome, Outcome::unavailable);
  EXPECT_EQ(parse(mx_packet().answer(kName, 15, 60, "").bytes()).outcome, Outcome::unavailable);
}

Answer half(Outcome outcome, bool secure = false, std::uint32_t ttl = 100) {
  Answer answer;
  answer.outcome = outcome;
  answer.secure = secure;
  answer.ttl = ttl;
  answer.canonical = kName;
  const bool failed = outcome == Outcome::unavailable || outcome == Outcome::bogus;
  if (failed) answer.why = "because";
  if (outcome == Outcome::found) answer.addresses = {"192.0.2.1"};
  return answer;
}

TEST(MergeAddresses, OutcomesByTheTable) {
  using enum Outcome;
  struct Case {
    Outcome one, other, merged;
  };
  constexpr Case kCases[] = {{found, found, found},
                             {found, no_data, found},
                             {found, no_name, found},
                             {found, unavailable, found},
                             {found, bogus, found},
                             {no_data, no_data, no_data},
                             {no_data, no_name, no_data},
                             {no_data, unavailable, unavailable},
                             {no_data, bogus, bogus},
                             {no_name, no_name, no_name},
                             {no_name, unavailable, unavailable},
                             {no_name, bogus, bogus},
                             {unavailable, unavailable, unavailable},
                             {unavailable, bogus, bogus},
                             {bogus, bogus, bogus}};
  for (const auto& [one, other, expected] : kCases) {
    for (const auto& [a, aaaa] : {std::pair(one, other), std::pair(other, one)}) {
      const auto merged = merge_addresses(half(a), half(aaaa));
      EXPECT_EQ(merged.outcome, expected) << static_cast<int>(a) << ' ' << static_cast<int>(aaaa);
      EXPECT_EQ(merged.why.empty(), expected != unavailable && expected != bogus);
      EXPECT_EQ(merged.addresses.empty(), expected != found);
      EXPECT_EQ(merged.canonical, kName);
    }
  }
}

TEST(MergeAddresses, IsSecureWhereEachThatSaysSomethingIs) {
  using enum Outcome;
  EXPECT_TRUE(merge_addresses(half(found, true), half(found, true)).secure);
  EXPECT_TRUE(merge_addresses(half(found, true), half(no_data, true)).secure);
  EXPECT_FALSE(merge_addresses(half(found, true), half(no_data, false)).secure);
  EXPECT_FALSE(merge_addresses(half(found, false), half(found, true)).secure);
  EXPECT_TRUE(merge_addresses(half(found, true), half(unavailable)).secure) << "no way to switch DANE off";
  EXPECT_TRUE(merge_addresses(half(found, true), half(bogus)).secure);
  EXPECT_FALSE(merge_addresses(half(found, false), half(bogus)).secure);
  EXPECT_FALSE(merge_addresses(half(unavailable), half(no_data, true)).secure);
  EXPECT_TRUE(merge_addresses(half(no_name, true), half(no_name, true)).secure);
}

TEST(MergeAddresses, HoldsForTheShorterTimeWithIpv6First) {
  auto aaaa = half(Outcome::found, true, 50);
  aaaa.addresses = {"2001:db8::1"};
  const auto merged = merge_addresses(half(Outcome::found, true, 90), std::move(aaaa));
  EXPECT_EQ(merged.ttl, 50U);
  EXPECT_EQ(merged.addresses, (std::vector<std::string>{"2001:db8::1", "192.0.2.1"}));
  EXPECT_EQ(merge_addresses(half(Outcome::unavailable, false, 9), half(Outcome::bogus, false, 9)).ttl, 0U);
}

TEST(Name, IsNormalizedToLowerCaseWithoutTheFinalDot) {
  EXPECT_EQ(normalized("MX.Example."), "mx.example");
  EXPECT_EQ(normalized("."), "");
}

}  // namespace
}  // namespace sternpost::dns

#include "service/router/router_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>

#include "base/dns_name.h"
#include "config/slices.h"

namespace sternpost::router {
namespace {

using testing::SizeIs;

struct NoRecords final : RecordSink {
  void record(Record) override {}
};

struct Closed {
  Compartment row = Compartment::master;
  ErrorClass why = ErrorClass::internal;
  bool last = false;
  bool operator==(const Closed&) const = default;
};

/// The service, with the test as smtpd, qmgr, users and dns.
class RouterServiceTest : public testing::Test {
 protected:
  using IntakeEnd = Channel<ToIntake, FromIntake>;
  using QmgrEnd = Channel<ToQmgr, FromQmgr>;
  using UsersEnd = Channel<users::ToUsers, users::FromUsers>;
  using DnsEnd = Channel<dns::ToDns, dns::FromDns>;

  void SetUp() override {
    config::RouterSlice slice;
    slice.hostname = "mx.example.org";
    slice.domains = {"example.org"};
    slice.extension_delimiter = "+";
    slice.mx_port = 25;
    start(std::move(slice));
    intake = connect<IntakeEnd>(Compartment::smtpd, to_intake);
  }

  void start(config::RouterSlice slice) {
    intake.reset();
    auto made = RouterService::make(
        {.loop = loop,
         .instance = 0,
         .slice = encode(slice),
         .initial_peers = 0,
         .records = records,
         .traffic = traffic,
         .exit = [this] { exited = true; },
         .channel_closed = [this](Compartment row, const Error& why,
                                  bool last) { closed.push_back({row, why.what_to_do, last}); }});
    ASSERT_TRUE(made);
    service = std::move(*made);
  }

  template <class End, class Frames>
  std::unique_ptr<End> connect(Compartment row, Frames& frames) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    auto bound = row == Compartment::users ? users::kMaxFrame : kMaxFrame;
    if (row == Compartment::dns) bound = dns::kMaxFrame;
    auto end =
        std::make_unique<End>(loop, UniqueFd(ends[0]), FrameLimits{.max_frame = bound}, traffic,
                              typename End::Handlers{.on_frame = [&frames](auto&& frame) -> Result<void> {
                                                       frames.push_back(std::move(frame));
                                                       return {};
                                                     },
                                                     .on_closed = [](const Error&) {}});
    service->peer(row, 0, UniqueFd(ends[1]));
    return end;
  }

  void run() {
    while (loop.poll_one() > 0) {
    }
    loop.restart();
  }

  /// Until what is known of a message waits for the rest of it no more.
  void run_gathering() {
    loop.run_for(RouterService::kGathering + std::chrono::milliseconds(50));
    loop.restart();
  }

  void verify(std::uint64_t request, std::string_view recipient) {
    intake->send(Verify{request, "192.0.2.1", std::nullopt, *mail::Mailbox::from_wire(recipient)});
    run();
  }

  static Route route_to(std::uint64_t id, std::vector<std::string> domains) {
    Route route{QueueId{id}, {}};
    std::uint32_t index = 0;
    for (const auto& domain : domains) {
      route.recipients.push_back({index++, *mail::Mailbox::from_wire("user@" + domain)});
    }
    return route;
  }

  static dns::Answer mx(std::uint64_t request, std::vector<dns::MxRecord> hosts) {
    dns::Answer answer;
    answer.request = request;
    answer.outcome = hosts.empty() ? dns::Outcome::no_data : dns::Outcome::found;
    answer.mx = std::move(hosts);
    return answer;
  }

  static std::vector<dns::MxRecord> many_long_hosts() {
    std::vector<dns::MxRecord> hosts;
    for (int i = 0; i < 20; ++i) {
      hosts.push_back({10, std::string(60, 'h') + "." + std::string(60, 'h') + "." + std::string(60, 'h') +
                               ".mx" + std::to_string(i) + ".far.example"});
    }
    return hosts;
  }

  /// All that qmgr was told, whatever frames it came in.
  [[nodiscard]] std::vector<RoutedRecipient> routed() const {
    std::vector<RoutedRecipient> all;
    for (const auto& frame : to_qmgr) {
      for (const auto& one : std::get<Routed>(frame).recipients) all.push_back(one);
    }
    return all;
  }

  boost::asio::io_context loop;
  TrafficCounters traffic;
  NoRecords records;
  std::vector<Closed> closed;
  bool exited = false;
  std::unique_ptr<Service> service;
  std::unique_ptr<IntakeEnd> intake;
  std::vector<ToIntake> to_intake;
  std::vector<ToQmgr> to_qmgr;
  std::vector<users::ToUsers> to_users;
  std::vector<dns::ToDns> to_dns;
};

TEST_F(RouterServiceTest, AQuestionWaitsForAUsersChannelAndIsAnsweredOnce) {
  verify(1, "ann+x@example.org");
  verify(2, "ann@example.org");
  verify(3, "ann@elsewhere.example");
  ASSERT_THAT(to_intake, SizeIs(1));
  EXPECT_EQ(std::get<Verdict>(to_intake[0]).request, 3U);
  auto users_end = connect<UsersEnd>(Compartment::users, to_users);
  run();
  ASSERT_THAT(to_users, SizeIs(1));
  const auto lookup = std::get<users::Lookup>(to_users[0]);
  EXPECT_EQ(lookup.name, "ann");
  users_end->send(users::Found{lookup.request, users::Answer::found, 1000, {1000}, "/home/ann"});
  run();
  ASSERT_THAT(to_intake, SizeIs(3));
  EXPECT_EQ(std::get<Verdict>(to_intake[1]).reply.code, 250);
}

TEST_F(RouterServiceTest, LookupsThatABrokenUsersChannelOwesAreAskedAgain) {
  auto first = connect<UsersEnd>(Compartment::users, to_users);
  verify(1, "ann@example.org");
  ASSERT_THAT(to_users, SizeIs(1));
  to_users.clear();
  auto second = connect<UsersEnd>(Compartment::users, to_users);
  run();
  ASSERT_THAT(to_users, SizeIs(1));
  const auto lookup = std::get<users::Lookup>(to_users[0]);
  second->send(users::Found{lookup.request, users::Answer::unknown, 0, {}, ""});
  run();
  ASSERT_THAT(to_intake, SizeIs(1));
  EXPECT_EQ(std::get<Verdict>(to_intake[0]).reply.code, 550);
}

TEST_F(RouterServiceTest, AnAnswerToNoQuestionIsAViolation) {
  auto users_end = connect<UsersEnd>(Compartment::users, to_users);
  users_end->send(users::Found{77, users::Answer::found, 1000, {}, ""});
  run();
  EXPECT_EQ(closed, (std::vector<Closed>{{Compartment::users, ErrorClass::peer, true}}));
}

TEST_F(RouterServiceTest, OnlyTheEndOfTheChannelToUsersIsALoss) {
  auto qmgr = connect<QmgrEnd>(Compartment::qmgr, to_qmgr);
  qmgr.reset();
  run();
  EXPECT_EQ(closed, (std::vector<Closed>{{Compartment::qmgr, ErrorClass::temporary, false}}));
}

TEST_F(RouterServiceTest, RecipientsAreAnsweredAsTheirWayIsKnownInBoundedFrames) {
  auto qmgr = connect<QmgrEnd>(Compartment::qmgr, to_qmgr);
  auto users_end = connect<UsersEnd>(Compartment::users, to_users);
  Route route{QueueId{7}, {}, 3};
  for (std::uint32_t i = 0; i < 1000; ++i) {
    route.recipients.push_back({i, *mail::Mailbox::from_wire(i % 2 == 0 ? "postmaster" : "ann@example.org")});
  }
  qmgr->send(route);
  run();
  EXPECT_THAT(routed(), SizeIs(0)) << "the rest may be known in a moment";
  run_gathering();
  EXPECT_THAT(routed(), SizeIs(500)) << "what needs no look-up does not wait long for one";
  ASSERT_THAT(to_users, SizeIs(1));
  users_end->send(
      users::Found{std::get<users::Lookup>(to_users[0]).request, users::Answer::unknown, 0, {}, ""});
  run();
  std::size_t answered = 0;
  for (const auto& frame : to_qmgr) {
    EXPECT_EQ(std::get<Routed>(frame).generation, 3U);
    for (const auto& recipient : std::get<Routed>(frame).recipients) {
      EXPECT_EQ(recipient.reply.code, recipient.index % 2 == 0 ? 250 : 550);
      ++answered;
    }
  }
  EXPECT_EQ(answered, 1000U);
}

TEST_F(RouterServiceTest, ADomainOfOthersGoesWhereTheDnsSays) {
  auto qmgr = connect<QmgrEnd>(Compartment::qmgr, to_qmgr);
  auto dns_end = connect<DnsEnd>(Compartment::dns, to_dns);
  qmgr->send(route_to(7, {"far.example", "FAR.example", "near.example"}));
  run();
  ASSERT_THAT(to_dns, SizeIs(2)) << "one look-up for each domain";
  const auto far = std::get<dns::Lookup>(to_dns[0]);
  EXPECT_EQ(far.kind, dns::Kind::mx);
  EXPECT_EQ(far.name, "far.example");
  dns_end->send(mx(far.request, {{10, "a.far.example"}, {20, "b.far.example"}}));
  run_gathering();
  EXPECT_THAT(routed(), SizeIs(2)) << "the third waits for its own domain alone";
  dns_end->send(mx(std::get<dns::Lookup>(to_dns[1]).request, {}));
  run();
  const auto all = routed();
  ASSERT_THAT(all, SizeIs(3));
  for (const auto& one : all) {
    EXPECT_EQ(one.reply.code, 250);
    EXPECT_EQ(one.agent, spool_qmgr::Agent::smtp);
    EXPECT_EQ(one.site, one.index == 2 ? "smtp implicit near.example:25"
                                       : "smtp mx 10 a.far.example:25 20 b.far.example:25");
  }
}

TEST_F(RouterServiceTest, DomainsThatAreFoundAtOnceAreAnsweredTogether) {
  auto qmgr = connect<QmgrEnd>(Compartment::qmgr, to_qmgr);
  auto dns_end = connect<DnsEnd>(Compartment::dns, to_dns);
  qmgr->send(route_to(7, {"one.example", "two.example"}));
  run();
  ASSERT_THAT(to_dns, SizeIs(2));
  for (const auto& frame : to_dns) {
    dns_end->send(mx(std::get<dns::Lookup>(frame).request, {{10, "mx.example"}}));
    run();
  }
  ASSERT_THAT(to_qmgr, SizeIs(1));
  EXPECT_THAT(routed(), SizeIs(2));
  run_gathering();
  EXPECT_THAT(to_qmgr, SizeIs(1));
}

TEST_F(RouterServiceTest, LookUpsThatALostDnsOwesAreAskedAgain) {
  auto qmgr = connect<QmgrEnd>(Compartment::qmgr, to_qmgr);
  auto first = connect<DnsEnd>(Compartment::dns, to_dns);
  qmgr->send(route_to(7, {"far.example"}));
  run();
  ASSERT_THAT(to_dns, SizeIs(1));
  first.reset();
  run();
  EXPECT_EQ(closed, (std::vector<Closed>{{Compartment::dns, ErrorClass::temporary, true}}));
  qmgr->send(route_to(8, {"near.example"}));
  run();
  to_dns.clear();
  auto second = connect<DnsEnd>(Compartment::dns, to_dns);
  run();
  ASSERT_THAT(to_dns, SizeIs(2)) << "what was owed, and what was asked meanwhile";
  for (const auto& frame : to_dns) {
    second->send(mx(std::get<dns::Lookup>(frame).request, {{10, "a.example"}}));
  }
  run();
  EXPECT_THAT(routed(), SizeIs(2));
}

TEST_F(RouterServiceTest, AnAnswerOfDnsToNoQuestionIsAViolation) {
  auto dns_end = connect<DnsEnd>(Compartment::dns, to_dns);
  dns_end->send(mx(77, {}));
  run();
  EXPECT_EQ(closed, (std::vector<Closed>{{Compartment::dns, ErrorClass::peer, true}}));
}

TEST_F(RouterServiceTest, ADnsThatDoesNotKnowDefersAndOneThatSaysNoFails) {
  auto qmgr = connect<QmgrEnd>(Compartment::qmgr, to_qmgr);
  auto dns_end = connect<DnsEnd>(Compartment::dns, to_dns);
  qmgr->send(route_to(7, {"slow.example"}));
  qmgr->send(route_to(8, {"gone.example"}));
  run();
  ASSERT_THAT(to_dns, SizeIs(2));
  for (const auto& frame : to_dns) {
    const auto& lookup = std::get<dns::Lookup>(frame);
    auto answer = mx(lookup.request, {});
    const bool slow = lookup.name == "slow.example";
    answer.outcome = slow ? dns::Outcome::unavailable : dns::Outcome::no_name;
    if (slow) answer.why = "no server answers";
    dns_end->send(answer);
  }
  run();
  const auto all = routed();
  ASSERT_THAT(all, SizeIs(2));
  const bool slow_first = std::get<Routed>(to_qmgr[0]).id == QueueId{7};
  EXPECT_TRUE(all[slow_first ? 0 : 1].reply.temporary());
  EXPECT_TRUE(all[slow_first ? 1 : 0].reply.permanent());
}

TEST_F(RouterServiceTest, ANameThatTheDnsCannotHoldIsAnsweredWithoutIt) {
  auto qmgr = connect<QmgrEnd>(Compartment::qmgr, to_qmgr);
  auto dns_end = connect<DnsEnd>(Compartment::dns, to_dns);
  std::string name;
  for (int i = 0; i < 35; ++i) name += "aaaaaa.";
  name += "ab.example";
  ASSERT_GT(name.size(), kLongestDnsName);
  ASSERT_LE(name.size(), 255U);
  qmgr->send(route_to(7, {name}));
  run();
  EXPECT_THAT(to_dns, SizeIs(0));
  ASSERT_THAT(routed(), SizeIs(1));
  EXPECT_TRUE(routed()[0].reply.permanent());
}

TEST_F(RouterServiceTest, LongSitesComeInBoundedFrames) {
  auto qmgr = connect<QmgrEnd>(Compartment::qmgr, to_qmgr);
  auto dns_end = connect<DnsEnd>(Compartment::dns, to_dns);
  qmgr->send(route_to(7, std::vector<std::string>(1'000, "far.example")));
  run();
  ASSERT_THAT(to_dns, SizeIs(1));
  dns_end->send(mx(std::get<dns::Lookup>(to_dns[0]).request, many_long_hosts()));
  run();
  EXPECT_GT(to_qmgr.size(), 5U);
  for (const auto& frame : to_qmgr) EXPECT_LT(encode(std::get<Routed>(frame)).size(), kMaxFrame - 16);
  const auto all = routed();
  ASSERT_THAT(all, SizeIs(1'000));
  EXPECT_GT(all.back().site.size(), 3'000U);
  EXPECT_EQ(all.back().index, 999U);
}

TEST_F(RouterServiceTest, AnswersWaitForQmgrHoweverManyBecomeReadyAtOnce) {
  // What makes them large does not matter here; a long rule does it without much work.
  config::RouterSlice slice;
  slice.domains = {"example.org"};
  slice.routes = {{"*", "[192.0.2.1]", {}, {"routes", std::string(60UL * 1024, 'f'), 1}}};
  start(std::move(slice));
  auto qmgr = connect<QmgrEnd>(Compartment::qmgr, to_qmgr);
  qmgr->send(route_to(7, std::vector<std::string>(1'500, "far.example")));
  run();
  EXPECT_THAT(closed, SizeIs(0));
  EXPECT_THAT(routed(), SizeIs(1'500));
}

TEST_F(RouterServiceTest, AnIntakeThatLeftIsNotAnswered) {
  verify(1, "ann@example.org");
  intake.reset();
  run();
  auto users_end = connect<UsersEnd>(Compartment::users, to_users);
  run();
  users_end->send(
      users::Found{std::get<users::Lookup>(to_users.at(0)).request, users::Answer::found, 1, {}, ""});
  run();
  service->drain(true);
  EXPECT_TRUE(exited);
}

}  // namespace
}  // namespace sternpost::router

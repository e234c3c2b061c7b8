#include "service/smtp/smtp_service.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/resource.h>

#include <array>

#include "service/smtp/smtp_service_test_rig.h"

namespace sternpost::smtp_client {
namespace {

using mail::Disposition;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class SmtpServiceTest : public SmtpServiceRig {};

/// An IPv4 address that is not of the loopback; empty where there is none.
std::string an_address_of_this_host() {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return {};
  std::string found;
  for (const auto* one = all; one != nullptr && found.empty(); one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET) continue;
    if ((one->ifa_flags & IFF_UP) == 0 || (one->ifa_flags & IFF_LOOPBACK) != 0) continue;
    std::array<char, INET_ADDRSTRLEN> text{};
    const auto& address = reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr;
    if (::inet_ntop(AF_INET, &address, text.data(), text.size()) != nullptr) found = text.data();
  }
  ::freeifaddrs(all);
  return found;
}

TEST_F(SmtpServiceTest, DeliversAndRecordsWhatIsDurable) {
  TestServer server(loop);
  server.start();
  start();
  server.replies_once["1 RCPT"] = "250 2.1.5 fine";
  hand(1, site_of(server), 2);
  ASSERT_TRUE(await_outcomes(1));
  ASSERT_THAT(frames, SizeIs(2));
  EXPECT_TRUE(std::get<spool_agent::InHand>(frames[0]).last);
  const auto outcome = outcomes().at(0);
  ASSERT_THAT(outcome.recipients, SizeIs(2));
  for (const auto& recipient : outcome.recipients) {
    EXPECT_EQ(recipient.disposition, Disposition::delivered);
    EXPECT_EQ(recipient.reply.text, "queued");
    EXPECT_EQ(recipient.remote, "[127.0.0.1]");
  }
  EXPECT_THAT(server.contents, ElementsAre("Subject: 1\r\n"));
  EXPECT_EQ(server.commands.at(0), "EHLO client.example.org");
  EXPECT_THAT(records.made, SizeIs(0)) << "spool has not acknowledged it";
  EXPECT_EQ(counter("jobs_in_hand"), 1U);
  spool->send(spool_agent::Recorded{{1}});
  settle();
  ASSERT_THAT(records.made, SizeIs(2));
  EXPECT_EQ(records.made[0].decision, Decision::delivered);
  EXPECT_EQ(counter("jobs_in_hand"), 0U);
  EXPECT_EQ(counter("delivered"), 2U);
}

TEST_F(SmtpServiceTest, MessagesToOneSiteShareAConnection) {
  TestServer server(loop);
  server.start();
  start();
  for (spool_agent::JobId i = 1; i <= 3; ++i) {
    hand(i, site_of(server));
    ASSERT_TRUE(await_outcomes(i));
  }
  EXPECT_EQ(server.connections, 1U);
  EXPECT_EQ(counter("connections_reused"), 2U);
  EXPECT_THAT(server.contents, SizeIs(3));
}

TEST_F(SmtpServiceTest, AConnectionCarriesNoMoreMessagesThanItsBound) {
  slice.max_messages = 2;
  TestServer server(loop);
  server.start();
  start();
  for (spool_agent::JobId i = 1; i <= 4; ++i) {
    hand(i, site_of(server));
    ASSERT_TRUE(await_outcomes(i));
  }
  EXPECT_EQ(server.connections, 2U);
}

TEST_F(SmtpServiceTest, TheNextHostTakesItWhenTheFirstRefusesConnections) {
  TestServer first(loop);
  TestServer second(loop);
  first.start();
  second.start();
  first.stop();
  start();
  hand(1, site_of(first, second));
  ASSERT_TRUE(await_outcomes(1));
  EXPECT_EQ(disposition_of(1), Disposition::delivered);
  EXPECT_EQ(outcome_of(1).remote, "second.example [127.0.0.1]");
  EXPECT_THAT(second.contents, SizeIs(1));
}

TEST_F(SmtpServiceTest, TheNextHostTakesItWhenTheFirstClosesItsService) {
  TestServer first(loop);
  TestServer second(loop);
  first.start();
  second.start();
  first.replies["MAIL"] = "421 4.3.2 closing";
  start();
  hand(1, site_of(first, second));
  ASSERT_TRUE(await_outcomes(1));
  EXPECT_EQ(disposition_of(1), Disposition::delivered);
  EXPECT_THAT(second.contents, SizeIs(1));
}

TEST_F(SmtpServiceTest, WhereNoHostIsReachedTheLastOneIsQuoted) {
  TestServer first(loop);
  TestServer second(loop);
  first.start();
  second.start();
  first.stop();
  second.replies["greeting"] = "554 5.3.2 no service";
  start();
  hand(1, site_of(first, second));
  ASSERT_TRUE(await_outcomes(1));
  EXPECT_EQ(disposition_of(1), Disposition::deferred);
  EXPECT_EQ(outcome_of(1).reply.text, "no service");
  EXPECT_EQ(outcome_of(1).remote, "second.example [127.0.0.1]");
  first.stop();
}

TEST_F(SmtpServiceTest, WhatAServerMayHaveAcceptedIsNotGivenToAnother) {
  TestServer first(loop);
  TestServer second(loop);
  first.start();
  second.start();
  first.replies["."] = TestServer::kHangUp;
  start();
  hand(1, site_of(first, second));
  ASSERT_TRUE(await_outcomes(1));
  EXPECT_EQ(disposition_of(1), Disposition::deferred);
  EXPECT_THAT(outcome_of(1).reply.text, HasSubstr("lost connection"));
  EXPECT_EQ(outcome_of(1).remote, "") << "these are our words";
  EXPECT_EQ(second.connections, 0U);
  spool->send(spool_agent::Recorded{{1}});
  settle();
  ASSERT_THAT(records.made, SizeIs(1));
  EXPECT_THAT(records.made[0].facts.back().name, "attempted");
}

TEST_F(SmtpServiceTest, ARefusalIsReadThoughTheServerHungUpInTheMiddleOfTheContent) {
  TestServer server(loop);
  server.start();
  // The content has to be more than the kernel takes at once: the end of the connection is then seen in
  // writing.
  server.narrow();
  server.most_content = 1;
  start();
  for (int i = 0; i < 256; ++i) {
    std::string lines;
    while (lines.size() + 66 <= spool_agent::kPieceBytes) lines += std::string(64, 'x') + "\r\n";
    hand_piece(1, std::move(lines));
  }
  hand(1, site_of(server));
  ASSERT_TRUE(await_outcomes(1));
  EXPECT_EQ(disposition_of(1), Disposition::failed);
  EXPECT_EQ(mail::to_string(outcome_of(1).reply), "552 5.3.4 too big");
  EXPECT_EQ(outcome_of(1).remote, "[127.0.0.1]");
}

TEST_F(SmtpServiceTest, AnIdleConnectionThatWasLostIsReplacedAndItsHostNotBlamed) {
  TestServer first(loop);
  TestServer second(loop);
  first.start();
  second.start();
  start();
  hand(1, site_of(first, second));
  ASSERT_TRUE(await_outcomes(1));
  first.replies_once["1 MAIL"] = TestServer::kHangUp;
  hand(2, site_of(first, second));
  ASSERT_TRUE(await_outcomes(2));
  EXPECT_EQ(disposition_of(2), Disposition::delivered);
  EXPECT_EQ(first.connections, 2U);
  EXPECT_EQ(second.connections, 0U);
}

TEST_F(SmtpServiceTest, AnIdleConnectionThatTheServerClosesIsForgotten) {
  TestServer server(loop);
  server.start();
  start();
  hand(1, site_of(server));
  ASSERT_TRUE(await_outcomes(1));
  server.hang_up();
  ASSERT_TRUE(run_until([&] { return counter("connections") == 0; }));
  hand(2, site_of(server));
  ASSERT_TRUE(await_outcomes(2));
  EXPECT_EQ(disposition_of(2), Disposition::delivered);
  EXPECT_EQ(counter("connections_reused"), 0U);
}

TEST_F(SmtpServiceTest, NoMoreConnectionsThanAllowedAndWhoWaitsIsServed) {
  slice.max_sessions = 2;
  std::vector<std::unique_ptr<TestServer>> servers;
  for (int i = 0; i < 5; ++i) {
    servers.push_back(std::make_unique<TestServer>(loop));
    servers.back()->start();
  }
  start();
  spool_agent::JobId job = 0;
  for (int round = 0; round < 3; ++round) {
    for (const auto& server : servers) hand(++job, site_of(*server));
  }
  std::uint64_t most = 0;
  ASSERT_TRUE(run_until([&] {
    most = std::max(most, counter("connections"));
    return outcomes().size() == 15;
  }));
  EXPECT_EQ(most, 2U);
  for (const auto& server : servers) EXPECT_THAT(server->contents, SizeIs(3));
}

TEST_F(SmtpServiceTest, AJobWithoutAddressDoesNotHoldUpThoseThatWaitBehindIt) {
  slice.max_sessions = 1;
  TestServer busy(loop);
  TestServer other(loop);
  busy.start();
  other.start();
  busy.replies["MAIL"] = TestServer::kSilence;
  start();
  hand(1, site_of(busy));
  ASSERT_TRUE(run_until([&] { return !busy.commands.empty() && busy.commands.back().starts_with("MAIL"); }));
  hand(2, "smtp implicit nowhere.example:25");
  hand(3, "smtp implicit nowhere.example:25");
  hand(4, site_of(other));
  settle();
  busy.hang_up();
  ASSERT_TRUE(await_outcomes(4));
  EXPECT_EQ(disposition_of(2), Disposition::failed);
  EXPECT_EQ(disposition_of(3), Disposition::failed);
  EXPECT_EQ(disposition_of(4), Disposition::delivered);
}

TEST_F(SmtpServiceTest, AConnectionThatDoesNotComeAboutInTimeIsGivenUpForTheNextHost) {
  slice.connect_seconds = 1;
  TestServer full(loop);
  TestServer second(loop);
  full.listen(0);
  second.start();
  // The one place in its queue is taken, so that the kernel answers nobody else.
  std::vector<UniqueFd> crowd;
  for (int i = 0; i < 3; ++i) {
    crowd.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(full.port);
    ::connect(crowd.back().get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  }
  start();
  hand(1, site_of(full, second));
  ASSERT_TRUE(await_outcomes(1));
  EXPECT_EQ(disposition_of(1), Disposition::delivered);
  EXPECT_EQ(outcome_of(1).remote, "second.example [127.0.0.1]");
  hand(2, site_of(full, second) + " from 127.0.0.1");
  ASSERT_TRUE(await_outcomes(2));
  EXPECT_EQ(counter("connections_opened"), 3U) << "for a moment, what is down is tried last";
}

TEST_F(SmtpServiceTest, DrainsWhenTheLastOutcomeIsAcknowledged) {
  TestServer server(loop);
  server.start();
  start();
  hand(1, site_of(server));
  hand(2, "smtp host first.example:" + std::to_string(server.port));
  ASSERT_TRUE(run_until([&] { return server.connections == 2; }));
  service->drain(false);
  ASSERT_TRUE(await_outcomes(2));
  EXPECT_FALSE(exited);
  spool->send(spool_agent::Recorded{{2}});
  settle();
  EXPECT_FALSE(exited);
  spool->send(spool_agent::Recorded{{1}});
  settle();
  EXPECT_TRUE(exited);
  EXPECT_EQ(server.open(), 0U) << "what is draining keeps no connection";
}

TEST_F(SmtpServiceTest, DrainsAtOnceWhereNothingIsInHand) {
  start();
  service->drain(false);
  EXPECT_TRUE(exited);
}

TEST_F(SmtpServiceTest, ANewSpoolGetsTheOutcomesAgainWithoutASecondDelivery) {
  TestServer server(loop);
  TestServer slow(loop);
  server.start();
  slow.start();
  slow.replies["greeting"] = TestServer::kSilence;
  start();
  hand(1, site_of(server));
  hand(2, site_of(slow));
  ASSERT_TRUE(await_outcomes(1));
  connect_spool();
  ASSERT_TRUE(await_outcomes(1));
  settle();
  ASSERT_THAT(frames, SizeIs(2));
  const auto& in_hand = std::get<spool_agent::InHand>(frames[0]);
  ASSERT_THAT(in_hand.jobs, SizeIs(2));
  EXPECT_EQ(in_hand.jobs[1].job, 2U) << "it is still worked on";
  EXPECT_EQ(outcomes().at(0).job, 1U);
  EXPECT_THAT(server.contents, SizeIs(1));
  spool->send(spool_agent::Recorded{{1}});
  settle();
  EXPECT_THAT(records.made, SizeIs(1));
}

TEST_F(SmtpServiceTest, AnUnknownAcknowledgementClosesTheChannel) {
  start();
  spool->send(spool_agent::Recorded{{9}});
  settle();
  EXPECT_THAT(breaches, ElementsAre(Compartment::spool));
}

TEST_F(SmtpServiceTest, ARouteThatIsNotUnderstoodIsNoReasonToBounce) {
  start();
  hand(1, "carrier pigeon");
  ASSERT_TRUE(await_outcomes(1));
  EXPECT_EQ(disposition_of(1), Disposition::deferred);
  EXPECT_EQ(to_string(outcome_of(1).reply), "451 4.3.5 the route is not understood");
}

TEST_F(SmtpServiceTest, QuestionsWaitForADnsThatIsAwayAndAreAskedOnce) {
  TestServer server(loop);
  server.start();
  start();
  dns_answers = false;
  hand(1, "smtp host first.example:" + std::to_string(server.port));
  ASSERT_TRUE(run_until([&] { return looked_up.size() == 1; }));
  dns_end.reset();
  settle();
  hand(2, "smtp host second.example:" + std::to_string(server.port));
  settle();
  EXPECT_THAT(outcomes(), SizeIs(0));
  dns_answers = true;
  connect_dns();
  ASSERT_TRUE(await_outcomes(2));
  EXPECT_EQ(disposition_of(1), Disposition::delivered);
  EXPECT_EQ(disposition_of(2), Disposition::delivered);
  ASSERT_THAT(looked_up, SizeIs(3));
  EXPECT_EQ(looked_up[1].name, "first.example");
}

TEST_F(SmtpServiceTest, AnAnswerThatIsNotAwaitedAnyMoreChangesNothing) {
  start();
  dns_end->send(dns::Answer{77, dns::Outcome::found, false, 0, {}, {}, {"127.0.0.1"}, {}});
  settle();
  EXPECT_TRUE(breaches.empty());
}

TEST_F(SmtpServiceTest, AHostNameLongerThanTheDnsAllowsHasNoAddress) {
  start();
  std::string name;
  for (int i = 0; i < 5; ++i) name += std::string(60, 'a') + ".";
  hand(1, "smtp host " + name + "example:25");
  ASSERT_TRUE(await_outcomes(1));
  EXPECT_NE(disposition_of(1), Disposition::delivered);
  EXPECT_THAT(looked_up, SizeIs(0));
}

TEST_F(SmtpServiceTest, MailForOurOwnAddressIsALoop) {
  TestServer server(loop);
  server.start();
  slice.own = {{"127.0.0.1", server.port}};
  start();
  hand(1, site_of(server));
  ASSERT_TRUE(await_outcomes(1));
  EXPECT_EQ(disposition_of(1), Disposition::failed);
  EXPECT_EQ(to_string(outcome_of(1).reply.status), "5.4.6");
  EXPECT_EQ(server.connections, 0U);
}

TEST_F(SmtpServiceTest, WhereWeListenOnAllAddressesEachOfThisHostIsOurs) {
  TestServer server(loop);
  server.start();
  slice.own = {{"0.0.0.0", server.port}};
  start();
  hand(1, site_of(server));
  hand(2, "smtp host [127.0.0.1]:1");
  ASSERT_TRUE(await_outcomes(2));
  EXPECT_EQ(to_string(outcome_of(1).reply.status), "5.4.6");
  EXPECT_EQ(disposition_of(2), Disposition::deferred) << "another port is another server";
}

TEST_F(SmtpServiceTest, AConnectionShowsThatAnAddressIsOfThisHost) {
  const auto ours = an_address_of_this_host();
  if (ours.empty()) GTEST_SKIP() << "this host has no address but those of its loopback";
  TestServer server(loop);
  server.start(INADDR_ANY);
  slice.own = {{"0.0.0.0", server.port}};
  start();
  hand(1, "smtp host [" + ours + "]:" + std::to_string(server.port));
  ASSERT_TRUE(await_outcomes(1));
  EXPECT_EQ(disposition_of(1), Disposition::failed);
  EXPECT_EQ(to_string(outcome_of(1).reply.status), "5.4.6");
  EXPECT_THAT(server.contents, SizeIs(0));
}

TEST_F(SmtpServiceTest, MasterConnectsLocalSockets) {
  TestServer server(loop);
  start();
  hand(1, "lmtp local /run/lmtp");
  ASSERT_TRUE(run_until([&] { return to_master.size() == 1; }));
  const auto asked = std::get<control::AskConnect>(to_master[0]);
  EXPECT_EQ(asked.path, "/run/lmtp");
  auto [ours, theirs] = sockets();
  server.serve(std::move(ours));
  std::vector<UniqueFd> descriptors;
  descriptors.push_back(std::move(theirs));
  service->from_master(control::ConnectAnswer{asked.request, {}}, std::move(descriptors));
  ASSERT_TRUE(await_outcomes(1));
  EXPECT_EQ(disposition_of(1), Disposition::delivered);
  EXPECT_EQ(outcome_of(1).remote, "/run/lmtp");
  EXPECT_EQ(server.commands.at(0), "LHLO client.example.org");
  hand(2, "lmtp local /run/lmtp");
  ASSERT_TRUE(await_outcomes(2));
  EXPECT_THAT(to_master, SizeIs(1)) << "the connection is used again";
}

TEST_F(SmtpServiceTest, ALocalSocketThatMasterCannotConnectDefers) {
  start();
  hand(1, "lmtp local /run/lmtp");
  ASSERT_TRUE(run_until([&] { return to_master.size() == 1; }));
  const auto asked = std::get<control::AskConnect>(to_master[0]);
  service->from_master(control::ConnectAnswer{asked.request + 1, "of nobody"}, {});
  settle();
  EXPECT_THAT(outcomes(), SizeIs(0)) << "an answer to no question";
  service->from_master(control::ConnectAnswer{asked.request, "No such file or directory"}, {});
  ASSERT_TRUE(await_outcomes(1));
  EXPECT_EQ(disposition_of(1), Disposition::deferred);
  EXPECT_THAT(outcome_of(1).reply.text, HasSubstr("/run/lmtp: cannot connect: No such file or directory"));
  settle();
  EXPECT_EQ(counter("connections"), 0U);
}

TEST_F(SmtpServiceTest, WithoutDescriptorsItDefersAndBlamesNoHost) {
  TestServer first(loop);
  TestServer second(loop);
  first.start();
  second.start();
  start();
  settle();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int lowest_free = ::dup(0);
  ASSERT_GE(lowest_free, 0);
  ::close(lowest_free);
  const rlimit none_left{static_cast<rlim_t>(lowest_free), before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none_left), 0);
  hand(1, "smtp host first.example:" + std::to_string(first.port));
  const bool came = await_outcomes(1);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_TRUE(came);
  EXPECT_EQ(disposition_of(1), Disposition::deferred);
  EXPECT_THAT(outcome_of(1).reply.text, HasSubstr("Too many open files"));
  hand(2, site_of(first, second));
  ASSERT_TRUE(await_outcomes(2));
  EXPECT_EQ(outcome_of(2).remote, "first.example [127.0.0.1]") << "it was there all the time";
}

TEST_F(SmtpServiceTest, AServerThatFallsSilentIsGivenUp) {
  slice.reply_seconds = 1;
  TestServer server(loop);
  server.start();
  server.replies["RCPT"] = TestServer::kSilence;
  start();
  hand(1, site_of(server));
  ASSERT_TRUE(await_outcomes(1));
  EXPECT_EQ(disposition_of(1), Disposition::deferred);
  EXPECT_THAT(outcome_of(1).reply.text, HasSubstr("timed out waiting for the reply to RCPT"));
}

TEST_F(SmtpServiceTest, AConnectionWithoutWorkIsClosedAfterItsTime) {
  slice.idle_seconds = 1;
  TestServer server(loop);
  server.start();
  start();
  hand(1, site_of(server));
  ASSERT_TRUE(await_outcomes(1));
  ASSERT_TRUE(run_until([&] { return counter("connections") == 0; }));
  EXPECT_EQ(server.commands.back(), "QUIT");
}

}  // namespace
}  // namespace sternpost::smtp_client

// What goes wrong, at every place of a session where it can.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/ascii.h"
#include "protocol/smtp/client.h"
#include "protocol/smtp/client_test_rig.h"

namespace sternpost::smtp {
namespace {

using namespace std::string_view_literals;
using rig::expect_session;
using rig::kContent;
using rig::kHello;
using rig::kLockStepHello;
using rig::script;

/// A place in a session where the client awaits something of the server.
struct Place {
  std::string way;                    ///< the script that leads there
  std::string awaited;                ///< waiting_for() there
  Seconds patience;                   ///< there
  std::vector<std::string> answered;  ///< results that stand already, before that of the last recipient
  std::string scope = "host";         ///< of that one when the connection is lost
  ClientProtocol protocol = ClientProtocol::smtp;

  /// Of a session that ends there: a server that never came to EHLO did not answer.
  [[nodiscard]] std::string status() const {
    const bool early = awaited == "the greeting" || awaited.ends_with("HLO") || awaited.ends_with("HELO");
    return early ? "4.4.1" : "4.4.2";
  }
  [[nodiscard]] rig::Setup setup() const {
    rig::Setup setup;
    setup.protocol = protocol;
    if (answered.size() == 1) setup.recipients.insert(setup.recipients.begin(), "first@example.org");
    return setup;
  }
  [[nodiscard]] std::vector<std::string> results(const std::string& last) const {
    auto all = answered;
    all.push_back(last);
    return all;
  }
};

std::vector<Place> places() {
  const std::string ehlo = "S: 220 mx\nC: EHLO client.example.net\n";
  const std::string lhlo = "S: 220 mx\nC: LHLO client.example.net\n";
  const std::string mail = "C: MAIL FROM:<s@example.net>\n";
  const std::string mail_size = "C: MAIL FROM:<s@example.net> SIZE=20\n";
  const std::string rcpt = "C: RCPT TO:<a@example.org>\n";
  const std::string rcpt_first = "C: RCPT TO:<first@example.org>\n";
  const std::string data = "C: DATA\n";
  const auto slow = std::string(kLockStepHello) + mail;
  const auto group = script(kHello, mail_size, rcpt, data);
  const auto refused = "S: 550 5.1.1 no\n";
  const std::vector<std::string> failed = {"failed answer 550 5.1.1 no"};
  return {
      {"", "the greeting", Seconds(300), {}},
      {ehlo, "the reply to EHLO", Seconds(300), {}},
      {ehlo + "S: 502 no\nC: HELO client.example.net\n", "the reply to HELO", Seconds(300), {}},
      {slow, "the reply to MAIL", Seconds(300), {}},
      {slow + "S: 250 Ok\n" + rcpt, "the reply to RCPT", Seconds(300), {}},
      {slow + "S: 250 Ok\n" + rcpt_first + refused + rcpt, "the reply to RCPT", Seconds(300), failed},
      {slow + "S: 250 Ok\n" + rcpt + "S: 250 Ok\n" + data, "the reply to DATA", Seconds(120), {}},
      {group, "the reply to MAIL", Seconds(300), {}},
      {group + "S: 250 Ok\n", "the reply to RCPT", Seconds(300), {}},
      {group + "S: 250 Ok\nS: 250 Ok\n", "the reply to DATA", Seconds(120), {}},
      {script(kHello, mail_size, rcpt_first, rcpt, data, "S: 250 Ok\n", refused, "S: 250 Ok\n"),
       "the reply to DATA", Seconds(120), failed},
      {script(group, "S: 250 Ok\nS: 250 Ok\nS: 354 Ok\n", kContent),
       "the reply to the end of the content",
       Seconds(600),
       {},
       "unknown"},
      {script(lhlo, "S: 250-mx\nS: 250 PIPELINING\n", mail, rcpt_first, rcpt, data,
              "S: 250 Ok\nS: 250 Ok\nS: 250 Ok\nS: 354 Ok\n", kContent, "S: 250 2.1.5 kept\n"),
       "the reply to the end of the content",
       Seconds(600),
       {"delivered answer 250 2.1.5 kept"},
       "unknown",
       ClientProtocol::lmtp},
      {script(slow, refused, "result\nbegin\nC: RSET\n"), "the reply to RSET", Seconds(20), {}},
  };
}

/// The results of all deliveries of a session that comes to a place and then goes on with `event`.
void expect_at(const Place& place, const std::string& event, const std::string& last) {
  SCOPED_TRACE(place.way);
  auto results = place.results(last);
  // The way to RSET has a delivery of its own.
  if (place.awaited == "the reply to RSET") results.insert(results.begin(), "failed answer 550 5.1.1 no");
  expect_session(place.setup(), place.way + event, results);
}

TEST(SmtpClientFaults, every_wait_has_a_name_and_a_bound) {
  for (const auto& place : places()) {
    SCOPED_TRACE(place.way);
    rig::Session session(place.setup(), false);
    session.begin();
    session.run(place.way);
    EXPECT_EQ(session.client.waiting_for(), place.awaited);
    EXPECT_EQ(session.client.patience(), place.patience);
    EXPECT_FALSE(session.client.idle());
  }
}

TEST(SmtpClientFaults, timeouts_at_every_place) {
  for (const auto& place : places()) {
    expect_at(
        place, "timeout\nclosed\n",
        "deferred " + place.scope + " 451 " + place.status() + " timed out waiting for " + place.awaited);
  }
}

TEST(SmtpClientFaults, lost_connections_at_every_place) {
  for (const auto& place : places()) {
    expect_at(place, "disconnect\nclosed\n",
              "deferred " + place.scope + " 451 " + place.status() + " lost connection waiting for " +
                  place.awaited);
    expect_at(place, "X: 25\nlost Connection reset by peer\nclosed\n",
              "deferred " + place.scope + " 451 " + place.status() +
                  " lost connection (Connection reset by peer) waiting for " + place.awaited);
  }
}

TEST(SmtpClientFaults, service_closing_at_every_place) {
  for (const auto& place : places()) {
    expect_at(place, "S: 421 4.3.2 shutting down\nclosed\n", "deferred host 421 4.3.2 shutting down");
    expect_at(place, "S: 421\nclosed\n", "deferred host 421 4.0.0 ");
  }
}

TEST(SmtpClientFaults, garbage_at_every_place) {
  for (const auto& place : places()) {
    const auto fault = [&](const std::string& what) {
      return "deferred " + place.scope + " 451 4.5.0 the server sent " + what + " while " + place.awaited +
             " was awaited";
    };
    expect_at(place, "S: HTTP/1.1 400 Bad Request\nclosed\n",
              fault("\"HTTP/1.1 400 Bad Request\", which is no reply"));
    expect_at(place, "S: \nclosed\n", fault("\"\", which is no reply"));
    expect_at(place, "S: 250-a\nS: 550 b\nclosed\n", fault("a reply with both codes 250 and 550"));
    expect_at(place, "X: " + std::string(3000, '2') + "\nclosed\n",
              fault("a reply with a line longer than 2048 octets"));
    std::string endless;
    for (int i = 0; i < 600; ++i) endless += "S: 250-more\n";
    expect_at(place, endless + "closed\n", fault("a reply of more than 512 lines"));
  }
}

TEST(SmtpClientFaults, replies_that_fit_no_command) {
  for (const auto& place : places()) {
    const bool data = place.awaited == "the reply to DATA";
    const std::string reply = data ? "250 2.0.0 Ok" : "354 go ahead";
    const auto what = "the server sent \"" + reply + "\" while ";
    rig::Session session(place.setup(), false);
    session.begin();
    session.run(place.way + "S: " + reply + "\nclosed\n");
    const auto results = session.results();
    ASSERT_FALSE(results.empty());
    EXPECT_TRUE(results.back().starts_with("deferred " + place.scope + " 451 4.5.0 " + what))
        << results.back();
  }
}

TEST(SmtpClientFaults, a_refused_reset_ends_the_connection) {
  expect_session(
      {},
      script(kLockStepHello,
             "C: MAIL FROM:<s@example.net>\nS: 450 no\nresult\nbegin\nC: RSET\nS: 500 what?\nclosed\n"),
      {"deferred answer 450 4.0.0 no", "deferred host 500 5.0.0 what?"});
}

TEST(SmtpClientFaults, no_connection_at_all) {
  for (const std::string_view why : {"", "Connection refused"}) {
    const auto limits = rig::limits_of({});
    Client client(limits);
    client.begin(rig::delivery_of({}));
    EXPECT_EQ(client.patience(), std::nullopt);
    client.disconnected(why);
    const auto finished = client.take_finished();
    ASSERT_TRUE(finished);
    EXPECT_EQ(rig::describe(finished->recipients.at(0)),
              why.empty() ? "deferred host 451 4.4.1 cannot connect"
                          : "deferred host 451 4.4.1 cannot connect: Connection refused");
    EXPECT_TRUE(client.closing());
    EXPECT_FALSE(client.idle());
  }
}

TEST(SmtpClientFaults, a_connection_that_does_not_come_to_be) {
  const auto limits = rig::limits_of({});
  Client client(limits);
  client.begin(rig::delivery_of({}));
  client.timed_out();
  EXPECT_EQ(rig::describe(client.take_finished().value().recipients.at(0)),
            "deferred host 451 4.4.1 timed out waiting for the connection");
}

TEST(SmtpClientFaults, a_server_that_speaks_out_of_turn) {
  const rig::Setup setup;
  const auto fault = [&](std::string_view script_to_it) {
    rig::Session session(setup, false);
    session.begin();
    session.run(std::string(script_to_it) + "result\nclosed\n");
    const auto results = session.results();
    ASSERT_EQ(results.size(), 1U);
    EXPECT_TRUE(results[0].starts_with("deferred host 451 4.5.0 the server sent \"")) << results[0];
    EXPECT_NE(results[0].find("without being asked"), std::string::npos) << results[0];
  };
  fault("S: 220 mx\nS: 250 mx\n");
  fault(script(kLockStepHello, "C: MAIL FROM:<s@example.net>\nS: 250 Ok\nS: 250 Ok\n"));
  fault(
      script(kLockStepHello,
             "C: MAIL FROM:<s@example.net>\nS: 250 Ok\nC: RCPT TO:<a@example.org>\nS: 250 Ok\nS: 354 Ok\n"));
  // Its beginning came too early, its end in time.
  fault(script(kLockStepHello,
               "C: MAIL FROM:<s@example.net>\nS: 250 Ok\nX: 25\nC: RCPT TO:<a@example.org>\nS: 0 Ok\n"));
}

TEST(SmtpClientFaults, a_server_that_speaks_while_idle) {
  for (const auto reply : {"421 4.4.2 idle for too long\r\n"sv, "250 Ok\r\n"sv, "x\r\n"sv}) {
    const auto limits = rig::limits_of({});
    Client client(limits);
    client.connected();
    client.feed("220 mx\r\n");
    client.output().clear();
    client.feed("250 mx\r\n");
    EXPECT_TRUE(client.idle());
    EXPECT_EQ(client.patience(), std::nullopt);
    client.feed(reply);
    EXPECT_TRUE(client.closing());
    EXPECT_FALSE(client.idle());
    EXPECT_FALSE(client.take_finished());
    client.begin(rig::delivery_of({}));
    EXPECT_EQ(rig::describe(client.take_finished().value().recipients.at(0)),
              "deferred host 451 4.4.2 the connection is closed");
  }
}

/// A client that is sending content larger than may be unwritten.
class SmtpClientContent : public testing::Test {
 protected:
  void SetUp() override {
    setup.content = std::string(10'000, 'x');
    setup.max_unwritten = 4096;
    client.connected();
    client.begin(rig::delivery_of(setup));
    for (const auto reply :
         {"220 mx\r\n"sv, "250 mx\r\n"sv, "250 Ok\r\n"sv, "250 Ok\r\n"sv, "354 Ok\r\n"sv}) {
      client.output().clear();
      client.feed(reply);
    }
    rig::give_content(client, setup);
  }
  std::string take() { return std::exchange(client.output(), {}); }
  void written() {
    client.written();
    rig::give_content(client, setup);
  }
  std::string result() {
    const auto finished = client.take_finished();
    return finished ? rig::describe(finished->recipients.at(0)) : "none";
  }

  rig::Setup setup;
  ClientLimits limits = [] {
    rig::Setup small;
    small.max_unwritten = 4096;
    return rig::limits_of(small);
  }();
  Client client{limits};
};

TEST_F(SmtpClientContent, goes_out_as_it_is_written) {
  EXPECT_EQ(client.patience(), Seconds(180));
  EXPECT_EQ(client.waiting_for(), "room to send the content");
  std::string wire;
  for (int pieces = 0; !client.output().empty(); ++pieces) {
    ASSERT_LT(pieces, 4);
    wire += take();
    const auto before = client.progress();
    written();
    EXPECT_GT(client.progress(), before);
  }
  EXPECT_EQ(wire, setup.content + "\r\n.\r\n");
  EXPECT_EQ(client.patience(), Seconds(600));
  client.feed("250 Ok\r\n");
  EXPECT_EQ(result(), "delivered answer 250 2.0.0 Ok");
}

TEST_F(SmtpClientContent, that_did_not_go_out_whole_was_not_accepted) {
  take();
  client.disconnected("Connection reset by peer");
  EXPECT_EQ(result(),
            "deferred host 451 4.4.2 lost connection (Connection reset by peer) waiting for room to send the "
            "content");
}

TEST_F(SmtpClientContent, that_has_its_end_in_hand_was_not_accepted) {
  while (client.waiting_for() == "room to send the content") {
    take();
    written();
  }
  EXPECT_TRUE(client.output().ends_with("\r\n.\r\n"));
  client.timed_out();
  EXPECT_EQ(result(), "deferred host 451 4.4.2 timed out waiting for the reply to the end of the content");
  EXPECT_EQ(client.output(), "");
}

TEST_F(SmtpClientContent, may_be_accepted_once_its_end_is_taken) {
  while (!take().empty()) written();
  client.timed_out();
  EXPECT_EQ(result(), "deferred unknown 451 4.4.2 timed out waiting for the reply to the end of the content");
}

TEST_F(SmtpClientContent, is_refused_before_its_end) {
  take();
  client.feed("552 5.3.4 too la");
  client.written();
  client.feed("rge\r\n");
  EXPECT_EQ(result(), "failed answer 552 5.3.4 too large");
  EXPECT_TRUE(client.closing());
}

TEST_F(SmtpClientContent, is_cut_short_by_421) {
  client.feed("421 4.4.2 too slow\r\n");
  EXPECT_EQ(result(), "deferred host 421 4.4.2 too slow");
  EXPECT_TRUE(client.closing());
}

TEST_F(SmtpClientContent, cannot_be_accepted_before_its_end) {
  take();
  client.feed("250 2.0.0 Ok\r\n");
  EXPECT_EQ(
      result(),
      "deferred host 451 4.5.0 the server sent \"250 2.0.0 Ok\" without being asked while room to send the "
      "content was awaited");
}

TEST_F(SmtpClientContent, that_is_lost_defers_the_delivery_and_ends_the_connection) {
  take();
  client.written();
  client.content_lost("the content of the message is damaged");
  EXPECT_EQ(result(), "deferred answer 451 4.3.0 the content of the message is damaged");
  EXPECT_TRUE(client.closing());
  EXPECT_EQ(client.output(), "") << "no end of what is not whole";
  EXPECT_FALSE(client.wanted_content());
  client.give_content("more", true);
  EXPECT_EQ(client.output(), "");
}

TEST(SmtpClientCommands, are_lines_of_printable_ascii) {
  for (const auto address : {"a\r\nb@example.org"sv, "\"a\r\nb\"@example.org"sv, "\"a\\\nb\"@example.org"sv,
                             "a\0b@example.org"sv, "\"\0\"@example.org"sv, "a@exa\r\nmple.org"sv}) {
    EXPECT_FALSE(mail::Mailbox::from_wire(address)) << address;
  }
  const rig::Setup setup{.recipients = {"\" >\\\"@\"@[IPv6:::1]", "postmaster"},
                         .sender = "\"\"@example.net"};
  const auto limits = rig::limits_of(setup);
  Client client(limits);
  client.connected();
  client.begin(rig::delivery_of(setup));
  client.feed("220 mx\r\n");
  client.output().clear();
  client.feed("250-mx\r\n250 PIPELINING\r\n");
  EXPECT_EQ(client.output(),
            "MAIL FROM:<\"\"@example.net>\r\n"
            "RCPT TO:<\" >\\\"@\"@[ipv6:::1]>\r\n"
            "RCPT TO:<postmaster>\r\n"
            "DATA\r\n");
}

TEST(SmtpClientCommands, stand_in_the_transcript_with_their_replies) {
  rig::Session session({.recipients = {"a@example.org"}}, false);
  session.begin();
  session.run(script(kLockStepHello,
                     "C: MAIL FROM:<s@example.net>\nS: 250 Ok\nC: RCPT TO:<a@example.org>\n"
                     "S: 250-Ok\nS: 250 fine\nC: DATA\nS: 354 Ok\n",
                     kContent, "S: 451 4.3.0 no\n"));
  EXPECT_EQ(session.client.transcript(),
            (std::vector<std::string>{"S: 220 mx.example.org ESMTP", "C: EHLO client.example.net",
                                      "S: 250 mx.example.org", "C: MAIL FROM:<s@example.net>", "S: 250 Ok",
                                      "C: RCPT TO:<a@example.org>", "S: 250-Ok", "S: 250 fine", "C: DATA",
                                      "S: 354 Ok", "C: .", "S: 451 4.3.0 no"}));
  EXPECT_EQ(session.results().size(), 1U);
  session.begin();
  EXPECT_EQ(session.client.transcript(), std::vector<std::string>{"C: MAIL FROM:<s@example.net>"});
}

}  // namespace
}  // namespace sternpost::smtp

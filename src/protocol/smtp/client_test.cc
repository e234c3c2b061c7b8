// Deliveries that a server answers by the rules, whatever it answers.
#include "protocol/smtp/client.h"

#include <gtest/gtest.h>

#include <string>

#include "protocol/smtp/client_test_rig.h"

namespace sternpost::smtp {
namespace {

using rig::expect_session;
using rig::kContent;
using rig::kHello;
using rig::kLockStepHello;
using rig::script;

constexpr std::string_view kMail = "C: MAIL FROM:<s@example.net> SIZE=20\n";

TEST(SmtpClient, delivers_in_one_group_where_pipelining_is_offered) {
  expect_session({},
                 script(kHello, kMail,
                        "C: RCPT TO:<a@example.org>\n"
                        "C: DATA\n"
                        "S: 250 2.1.0 Ok\n"
                        "S: 250 2.1.5 Ok\n"
                        "S: 354 Go ahead\n",
                        kContent,
                        "S: 250 2.0.0 Ok: queued as 17\n"
                        "result\n"
                        "idle\n"),
                 {"delivered answer 250 2.0.0 Ok: queued as 17"});
}

TEST(SmtpClient, waits_for_each_reply_where_it_is_not) {
  expect_session({.recipients = {"a@example.org", "b@example.org"}, .sender = ""},
                 script(kLockStepHello,
                        "C: MAIL FROM:<>\n"
                        "S: 250 Ok\n"
                        "C: RCPT TO:<a@example.org>\n"
                        "S: 251 will forward\n"
                        "C: RCPT TO:<b@example.org>\n"
                        "S: 550 5.1.1 no such mailbox\n"
                        "C: DATA\n"
                        "S: 354 Go ahead\n",
                        kContent,
                        "S: 250\n"
                        "result\n"),
                 {"delivered answer 250 2.0.0 ", "failed answer 550 5.1.1 no such mailbox"});
}

TEST(SmtpClient, says_helo_to_those_who_know_no_ehlo) {
  for (const std::string code : {"500", "501", "502", "504", "550"}) {
    expect_session({},
                   script("S: 220 mx\n"
                          "C: EHLO client.example.net\n"
                          "S: ",
                          code,
                          " what?\n"
                          "C: HELO client.example.net\n"
                          "S: 250 mx\n"
                          "C: MAIL FROM:<s@example.net>\n"
                          "S: 250 Ok\n"
                          "C: RCPT TO:<a@example.org>\n"
                          "S: 250 Ok\n"
                          "C: DATA\n"
                          "S: 354 Ok\n",
                          kContent, "S: 250 Ok\n"),
                   {"delivered answer 250 2.0.0 Ok"});
  }
}

TEST(SmtpClient, leaves_a_host_that_refuses_to_serve) {
  for (const std::string greeting : {"554 5.7.1 go away", "450 4.3.2 not now"}) {
    expect_session({},
                   script("S: ", greeting,
                          "\n"
                          "C: QUIT\n"
                          "result\n"
                          "open\n"
                          "S: 221 bye\n"
                          "closed\n"),
                   {"deferred host " + greeting});
  }
  expect_session({},
                 "S: 220 mx\nC: EHLO client.example.net\nS: 554 5.7.1 no\nC: QUIT\nresult\ntimeout\nclosed\n",
                 {"deferred host 554 5.7.1 no"});
  expect_session({},
                 "S: 220 mx\nC: EHLO client.example.net\nS: 502 no\nC: HELO client.example.net\n"
                 "S: 550 no\nC: QUIT\nresult\ndisconnect\nclosed\n",
                 {"deferred host 550 5.0.0 no"});
}

TEST(SmtpClient, declares_eight_bit_content_where_it_can) {
  const auto rest =
      "C: RCPT TO:<a@example.org>\nC: DATA\nS: 250 Ok\nS: 250 Ok\nS: 354 Ok\nC: \xc3\xa9\nC: .\nS: 250 Ok\n";
  for (const bool declared : {false, true}) {
    expect_session({.content = "\xc3\xa9\n", .eight_bit = declared},
                   script(kHello, "C: MAIL FROM:<s@example.net> SIZE=4 BODY=8BITMIME\n", rest),
                   {"delivered answer 250 2.0.0 Ok"});
  }
  expect_session({.content = "\xc3\xa9\n"}, script(kLockStepHello, "result\nidle\n"),
                 {"failed answer 554 5.6.3 the message has 8-bit content and the next hop does not offer "
                  "8BITMIME"});
  expect_session({.content = "e\n", .eight_bit = true},
                 script(kLockStepHello,
                        "C: MAIL FROM:<s@example.net>\nS: 250 Ok\nC: RCPT TO:<a@example.org>\nS: 250 Ok\n"
                        "C: DATA\nS: 354 Ok\nC: e\nC: .\nS: 250 Ok\n"),
                 {"delivered answer 250 2.0.0 Ok"});
}

TEST(SmtpClient, does_not_offer_a_message_that_is_too_large) {
  expect_session(
      {.content = std::string(9999, 'x')}, script(kHello, "result\nidle\n"),
      {"failed answer 552 5.3.4 the message has 10001 octets and the next hop takes at most 10000"});
}

TEST(SmtpClient, takes_a_refusal_of_mail_for_all_recipients) {
  const rig::Setup two{.recipients = {"a@example.org", "b@example.org"}};
  expect_session(two,
                 script(kHello, kMail,
                        "C: RCPT TO:<a@example.org>\nC: RCPT TO:<b@example.org>\nC: DATA\n"
                        "S: 550 5.7.1 not you\nS: 503 5.5.1 MAIL first\nS: 503 5.5.1 MAIL first\n"
                        "S: 503 5.5.1 MAIL first\nresult\nidle\n"),
                 {"failed answer 550 5.7.1 not you", "failed answer 550 5.7.1 not you"});
  expect_session(two,
                 script(kLockStepHello, "C: MAIL FROM:<s@example.net>\nS: 451 4.3.0 later\nresult\nidle\n"),
                 {"deferred answer 451 4.3.0 later", "deferred answer 451 4.3.0 later"});
}

TEST(SmtpClient, ends_at_once_content_that_nobody_gets) {
  expect_session({},
                 script(kHello, kMail,
                        "C: RCPT TO:<a@example.org>\nC: DATA\n"
                        "S: 250 Ok\nS: 550 5.1.1 no such mailbox\nS: 354 Ok\n"
                        "C: .\n"
                        "S: 250 2.0.0 Ok\nresult\nidle\n"),
                 {"failed answer 550 5.1.1 no such mailbox"});
  expect_session({},
                 script(kHello, kMail,
                        "C: RCPT TO:<a@example.org>\nC: DATA\n"
                        "S: 550 5.7.1 not you\nS: 503 MAIL first\nS: 354 Ok\n"
                        "C: .\n"
                        "S: 554 5.5.1 no recipients\nresult\nidle\n"),
                 {"failed answer 550 5.7.1 not you"});
  expect_session({},
                 script(kHello, kMail,
                        "C: RCPT TO:<a@example.org>\nC: DATA\n"
                        "S: 250 Ok\nS: 450 4.2.1 wait\nS: 354 Ok\n"
                        "C: .\n"
                        "disconnect\nresult\nclosed\n"),
                 {"deferred answer 450 4.2.1 wait"});
}

TEST(SmtpClient, takes_a_refusal_of_data_for_those_who_were_accepted) {
  expect_session({.recipients = {"a@example.org", "b@example.org"}},
                 script(kHello, kMail,
                        "C: RCPT TO:<a@example.org>\nC: RCPT TO:<b@example.org>\nC: DATA\n"
                        "S: 250 Ok\nS: 250 Ok\nS: 550 5.1.1 no such mailbox\nS: 451 4.3.0 disk\n"
                        "result\nidle\n"),
                 {"deferred answer 451 4.3.0 disk", "failed answer 550 5.1.1 no such mailbox"});
}

TEST(SmtpClient, takes_the_verdict_on_the_content_for_those_who_were_accepted) {
  expect_session({.recipients = {"a@example.org", "b@example.org"}},
                 script(kHello, kMail,
                        "C: RCPT TO:<a@example.org>\nC: RCPT TO:<b@example.org>\nC: DATA\n"
                        "S: 250 Ok\nS: 450 greylisted\nS: 250 Ok\nS: 354 Ok\n",
                        kContent, "S: 554 5.7.1 spam\nresult\nidle\n"),
                 {"deferred answer 450 4.0.0 greylisted", "failed answer 554 5.7.1 spam"});
}

TEST(SmtpClient, resets_what_did_not_end_with_the_content) {
  rig::Setup setup;
  for (const bool octet_by_octet : {false, true}) {
    rig::Session session(setup, octet_by_octet);
    session.begin();
    session.run(script(kHello, kMail,
                       "C: RCPT TO:<a@example.org>\nC: DATA\n"
                       "S: 250 Ok\nS: 550 5.1.1 no such mailbox\nS: 503 no recipients\nresult\nidle\nbegin\n"
                       "C: RSET\n",
                       kMail,
                       "C: RCPT TO:<a@example.org>\nC: DATA\n"
                       "S: 250 Ok\nS: 250 Ok\nS: 250 Ok\nS: 354 Ok\n",
                       kContent));
    EXPECT_EQ(session.results(), std::vector<std::string>{"failed answer 550 5.1.1 no such mailbox"});
    session.client.feed("250 Ok\r\n");
    EXPECT_EQ(session.results(), std::vector<std::string>{"delivered answer 250 2.0.0 Ok"});
  }
}

TEST(SmtpClient, resets_in_lock_step_too_and_not_after_content) {
  const auto one = script(
      "C: MAIL FROM:<s@example.net>\nS: 250 Ok\nC: RCPT TO:<a@example.org>\nS: 250 Ok\n"
      "C: DATA\nS: 354 Ok\n",
      kContent, "S: 250 Ok\n");
  for (const bool octet_by_octet : {false, true}) {
    rig::Session session({}, octet_by_octet);
    session.begin();
    session.run(script(kLockStepHello, one));
    EXPECT_EQ(session.results().size(), 1U);
    session.run(script("begin\nC: MAIL FROM:<s@example.net>\nS: 450 no\n"));
    EXPECT_EQ(session.results().size(), 1U);
    session.run(script("begin\nC: RSET\nS: 250 Ok\n", one));
    EXPECT_EQ(session.results().size(), 1U);
    session.run("idle\nquit\nC: QUIT\nopen\nS: 221 bye\nclosed\n");
  }
}

TEST(SmtpClient, names_those_beyond_the_limit_in_another_transaction) {
  const rig::Setup three{.recipients = {"a@example.org", "b@example.org", "c@example.org"}};
  for (const std::string beyond :
       {"452 4.5.3 Too many recipients", "552 Too many recipients", "452 enough"}) {
    expect_session(
        three,
        script(kHello, kMail,
               "C: RCPT TO:<a@example.org>\nC: RCPT TO:<b@example.org>\nC: RCPT TO:<c@example.org>\n"
               "C: DATA\nS: 250 Ok\nS: 250 Ok\nS: ",
               beyond, "\nS: 550 5.1.1 no c\nS: 354 Ok\n", kContent, "S: 250 first\n", kMail,
               "C: RCPT TO:<b@example.org>\nC: DATA\nS: 250 Ok\nS: 250 Ok\nS: 354 Ok\n", kContent,
               "S: 250 second\nresult\nidle\n"),
        {"delivered answer 250 2.0.0 first", "delivered answer 250 2.0.0 second",
         "failed answer 550 5.1.1 no c"});
  }
}

TEST(SmtpClient, defers_those_beyond_the_limit_where_nobody_was_accepted) {
  expect_session({.recipients = {"a@example.org", "b@example.org"}},
                 script(kHello, kMail,
                        "C: RCPT TO:<a@example.org>\nC: RCPT TO:<b@example.org>\nC: DATA\n"
                        "S: 250 Ok\nS: 552 full\nS: 552 5.2.2 mailbox full\nS: 503 no\nresult\nidle\n"),
                 {"deferred answer 452 4.5.3 full", "failed answer 552 5.2.2 mailbox full"});
}

TEST(SmtpClient, makes_a_bounded_number_of_transactions) {
  const auto accepted_one = script("S: 250 Ok\nS: 250 Ok\nS: 452 no\n");
  expect_session({.recipients = {"a@example.org", "b@example.org"}, .max_transactions = 1},
                 script(kHello, kMail, "C: RCPT TO:<a@example.org>\nC: RCPT TO:<b@example.org>\nC: DATA\n",
                        accepted_one, "S: 354 Ok\n", kContent, "S: 250 first\nresult\nidle\n"),
                 {"delivered answer 250 2.0.0 first",
                  "deferred answer 452 4.5.3 the next hop takes too few recipients at a time"});
}

TEST(SmtpClient, keeps_to_the_limit_that_the_server_offers) {
  expect_session(
      {.recipients = {"a@example.org", "b@example.org", "c@example.org"}},
      script("S: 220 mx\nC: EHLO client.example.net\n"
             "S: 250-mx\nS: 250-PIPELINING\nS: 250 LIMITS MAILMAX=10 RCPTMAX=2\n"
             "C: MAIL FROM:<s@example.net>\nC: RCPT TO:<a@example.org>\nC: RCPT TO:<b@example.org>\n"
             "C: DATA\nS: 250 Ok\nS: 250 Ok\nS: 250 Ok\nS: 354 Ok\n",
             kContent,
             "S: 250 first\n"
             "C: MAIL FROM:<s@example.net>\nC: RCPT TO:<c@example.org>\n"
             "C: DATA\nS: 250 Ok\nS: 250 Ok\nS: 354 Ok\n",
             kContent, "S: 550 second\nresult\nidle\n"),
      {"delivered answer 250 2.0.0 first", "delivered answer 250 2.0.0 first",
       "failed answer 550 5.0.0 second"});
}

TEST(SmtpClient, awaits_replies_before_too_many_commands) {
  expect_session(
      {.recipients = {"a@example.org", "b@example.org", "c@example.org"}, .max_pipelined_recipients = 1},
      script(kHello, kMail,
             "C: RCPT TO:<a@example.org>\nC: RCPT TO:<b@example.org>\n"
             "S: 250 Ok\nS: 250 Ok\nS: 250 Ok\n"
             "C: RCPT TO:<c@example.org>\nC: DATA\n"
             "S: 250 Ok\nS: 354 Ok\n",
             kContent, "S: 250 Ok\n"),
      {"delivered answer 250 2.0.0 Ok", "delivered answer 250 2.0.0 Ok", "delivered answer 250 2.0.0 Ok"});
}

TEST(LmtpClient, takes_a_verdict_for_each_recipient) {
  expect_session(
      {.recipients = {"a@example.org", "b@example.org", "c@example.org"}, .protocol = ClientProtocol::lmtp},
      script("S: 220 mx\nC: LHLO client.example.net\nS: 250-mx\nS: 250 PIPELINING\n"
             "C: MAIL FROM:<s@example.net>\nC: RCPT TO:<a@example.org>\n"
             "C: RCPT TO:<b@example.org>\nC: RCPT TO:<c@example.org>\nC: DATA\n"
             "S: 250 Ok\nS: 250 Ok\nS: 550 5.1.1 no b\nS: 250 Ok\nS: 354 Ok\n",
             kContent, "S: 250 2.1.5 kept\nS: 452 4.2.2 full\nresult\nidle\n"),
      {"delivered answer 250 2.1.5 kept", "failed answer 550 5.1.1 no b", "deferred answer 452 4.2.2 full"});
}

TEST(LmtpClient, knows_no_helo_and_no_content_for_nobody) {
  expect_session({.protocol = ClientProtocol::lmtp},
                 "S: 220 mx\nC: LHLO client.example.net\nS: 500 what?\nC: QUIT\nresult\nS: 221 bye\nclosed\n",
                 {"deferred host 500 5.0.0 what?"});
  expect_session({.recipients = {"a@example.org", "b@example.org"}, .protocol = ClientProtocol::lmtp},
                 script("S: 220 mx\nC: LHLO client.example.net\nS: 250-mx\nS: 250 PIPELINING\n"
                        "C: MAIL FROM:<s@example.net>\nC: RCPT TO:<a@example.org>\n"
                        "C: RCPT TO:<b@example.org>\nC: DATA\n"
                        "S: 250 Ok\nS: 550 5.1.1 no a\nS: 452 enough\nS: 354 Ok\nresult\nclosed\n"),
                 {"failed answer 550 5.1.1 no a", "deferred answer 452 4.5.3 enough"});
}

TEST(SmtpClient, quits_after_the_delivery_in_hand) {
  expect_session({},
                 script(kHello, kMail,
                        "C: RCPT TO:<a@example.org>\nC: DATA\nquit\n"
                        "S: 250 Ok\nS: 250 Ok\nS: 354 Ok\n",
                        kContent, "S: 250 Ok\nresult\nC: QUIT\nS: 221 bye\nclosed\n"),
                 {"delivered answer 250 2.0.0 Ok"});
  // Also where it needs no transaction to have its result.
  expect_session({.content = "\xff"},
                 script("quit\n", kLockStepHello, "result\nC: QUIT\nS: 221 bye\nclosed\n"),
                 {"failed answer 554 5.6.3 the message has 8-bit content and the next hop does not offer "
                  "8BITMIME"});
}

TEST(SmtpClient, quits_without_a_word_before_it_was_greeted) {
  ClientLimits limits;
  Client client(limits);
  client.connected();
  EXPECT_TRUE(client.idle());
  client.quit();
  EXPECT_FALSE(client.idle());
  EXPECT_TRUE(client.closing());
  EXPECT_EQ(client.output(), "");
}

}  // namespace
}  // namespace sternpost::smtp

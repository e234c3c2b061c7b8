// What clients, router and spool see of the smtpd compartment.
#include "service/smtpd/smtpd_service.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "service/smtpd/smtpd_test_rig.h"

namespace sternpost::smtpd {
namespace {

using namespace std::chrono_literals;
using testing_rig::long_content;
using testing_rig::slice;
using testing_rig::Smtpd;

TEST_F(Smtpd, hands_a_message_to_spool_and_says_250_after_the_commit) {
  start_all();
  spool_->commit_at_once = false;
  Client client(*this);
  ASSERT_TRUE(client.hears("220 mx.example.org"));
  ASSERT_TRUE(client.begin_message());
  client.say("Subject: x\r\n\r\nhello\r\n.\r\n");
  ASSERT_TRUE(eventually([&] { return spool_->commits.size() == 1; }));
  EXPECT_EQ(client.heard(), "");
  const auto& commit = spool_->commits.front();
  EXPECT_EQ(commit.id, QueueId{1});
  EXPECT_TRUE(commit.last_piece.ends_with("Subject: x\r\n\r\nhello\r\n"));
  EXPECT_TRUE(commit.last_piece.starts_with("Received: from client.example ([127.0.0.1])"));
  EXPECT_EQ(commit.envelope.recipients.front().to_wire(), "bob@example.org");
  EXPECT_TRUE(commit.envelope.origin.client.starts_with("127.0.0.1:"));
  EXPECT_EQ(records_.last(Decision::accepted), nullptr);
  spool_->committed(commit.id);
  EXPECT_TRUE(client.hears("250 2.0.0 Ok: queued as 0001"));
  const auto* accepted = records_.last(Decision::accepted);
  ASSERT_NE(accepted, nullptr);
  EXPECT_EQ(accepted->id, QueueId{1});
  EXPECT_EQ(accepted->recipient, "bob@example.org");
  EXPECT_EQ(accepted->sender, "<a@example.net>");
  EXPECT_EQ(accepted->rule, (Rule{"domains", "sternpost.toml", 3}));
}

TEST_F(Smtpd, records_all_recipients_of_an_accepted_message_as_far_as_there_is_room) {
  start_all();
  const auto facts = [&](int recipients) {
    Client client(*this);
    client.say("EHLO client.example\r\n");
    EXPECT_TRUE(client.hears("250 ENHANCEDSTATUSCODES"));
    std::string commands = "MAIL FROM:<>\r\n";
    for (int i = 0; i < recipients; ++i)
      commands += "RCPT TO:<user" + std::to_string(i) + "@example.org>\r\n";
    client.say(commands + "DATA\r\n");
    EXPECT_TRUE(client.hears("354"));
    client.say("x\r\n.\r\n");
    EXPECT_TRUE(client.hears("250 2.0.0"));
    for (const auto& fact : records_.last(Decision::accepted)->facts) {
      if (fact.name == "to") return fact.value;
    }
    return std::string();
  };
  EXPECT_EQ(facts(1), "");  // it is the recipient of the record
  EXPECT_EQ(facts(2), "user0@example.org, user1@example.org");
  const auto many = facts(90);
  EXPECT_LE(many.size(), 1000U);
  EXPECT_TRUE(many.ends_with(" more")) << many;
}

TEST_F(Smtpd, records_refusals_with_the_rule_of_the_verdict) {
  start_all();
  Client client(*this);
  client.say("EHLO client.example\r\n");
  ASSERT_TRUE(client.hears("250 ENHANCEDSTATUSCODES"));
  client.say("MAIL FROM:<a@example.net>\r\nRCPT TO:<x@elsewhere.example>\r\n");
  ASSERT_TRUE(client.hears("554 5.7.1 No relaying"));
  const auto* refused = records_.last(Decision::refused);
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(refused->rule, (Rule{"domains", "sternpost.toml", 3}));
  EXPECT_EQ(refused->recipient, "x@elsewhere.example");
  EXPECT_EQ(refused->client, "127.0.0.1");
  EXPECT_EQ(router_->questions.front().client_address, "127.0.0.1");
}

TEST_F(Smtpd, sends_long_content_ahead_in_pieces) {
  start_all();
  Client client(*this);
  ASSERT_TRUE(client.begin_message());
  const auto content = long_content();
  client.say(content);
  client.say(".\r\n");
  ASSERT_TRUE(client.hears("250 2.0.0"));
  EXPECT_EQ(spool_->pieces.size() % spool_intake::kPieceBytes, 0U);
  EXPECT_GE(spool_->pieces.size(), 3 * spool_intake::kPieceBytes);
  const auto whole = spool_->pieces + spool_->commits.front().last_piece;
  EXPECT_TRUE(whole.ends_with(content));
}

TEST_F(Smtpd, abandons_pieces_of_a_client_that_went_away) {
  start_all();
  Client client(*this);
  ASSERT_TRUE(client.begin_message());
  client.say(long_content());
  ASSERT_TRUE(eventually([&] { return !spool_->pieces.empty(); }));
  EXPECT_TRUE(spool_->abandoned.empty());
  client.close();
  EXPECT_TRUE(eventually([&] { return spool_->abandoned.size() == 1; }));
  EXPECT_NE(records_.last(Decision::disconnected), nullptr);
}

TEST_F(Smtpd, tells_the_truth_about_a_commit_that_spool_did_not_answer) {
  for (const bool committed : {true, false}) {
    start_all();
    spool_->commit_at_once = false;
    Client client(*this);
    ASSERT_TRUE(client.begin_message());
    client.say("x\r\n.\r\n");
    ASSERT_TRUE(eventually([&] { return spool_->commits.size() == 1; }));
    const auto id = spool_->commits.front().id;
    spool_.reset();
    loop_.run_for(5ms);
    connect_spool(5000);
    ASSERT_TRUE(eventually([&] { return spool_->asked == std::vector<QueueId>{id}; }));
    EXPECT_TRUE(spool_->commits.empty());
    spool_->state(id, committed);
    EXPECT_TRUE(client.hears(committed ? "250 2.0.0 Ok: queued as 0001" : "451 4.3.0"));
    EXPECT_EQ(client.heard(), "");
  }
}

TEST_F(Smtpd, refuses_a_message_whose_id_is_of_a_spool_that_ended) {
  start_all();
  Client client(*this);
  ASSERT_TRUE(client.begin_message());
  client.say(long_content());
  ASSERT_TRUE(eventually([&] { return !spool_->pieces.empty(); }));
  spool_.reset();
  loop_.run_for(5ms);
  connect_spool(5000);
  client.say(".\r\n");
  EXPECT_TRUE(client.hears("451 4.3.0"));
  client.say("MAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n");
  ASSERT_TRUE(client.hears("354"));
  client.say("x\r\n.\r\n");
  EXPECT_TRUE(client.hears("250 2.0.0 Ok: queued as"));
  EXPECT_EQ(spool_->commits.front().id, QueueId{5000});
}

TEST_F(Smtpd, waits_for_ids_before_the_354) {
  start_all();
  spool_->lease_at_once = false;
  Client client(*this);
  client.say("EHLO client.example\r\n");
  ASSERT_TRUE(client.hears("250 ENHANCEDSTATUSCODES"));
  client.say("MAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n");
  ASSERT_TRUE(eventually([&] { return router_->questions.size() == 1; }));
  loop_.run_for(5ms);
  EXPECT_FALSE(client.hears_now("250 2.1.0"));
  spool_->lease(1);
  EXPECT_TRUE(client.hears("354"));
}

TEST_F(Smtpd, asks_the_next_router_what_the_last_one_left_unanswered) {
  start_all();
  router_->answer_at_once = false;
  Client client(*this);
  client.say("EHLO client.example\r\n");
  ASSERT_TRUE(client.hears("250 ENHANCEDSTATUSCODES"));
  client.say("MAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nRCPT TO:<x@example.net>\r\n");
  ASSERT_TRUE(eventually([&] { return router_->questions.size() == 2; }));
  router_.reset();
  loop_.run_for(5ms);
  connect_router();
  EXPECT_TRUE(client.hears("250 2.1.5"));
  EXPECT_TRUE(client.hears("554 5.7.1"));
}

TEST_F(Smtpd, answers_a_pipelined_group_with_one_write) {
  start_all();
  router_->answer_at_once = false;
  Client client(*this);
  client.say("EHLO client.example\r\n");
  ASSERT_TRUE(client.hears("250 ENHANCEDSTATUSCODES"));
  client.say("MAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n");
  ASSERT_TRUE(eventually([&] { return router_->questions.size() == 1; }));
  loop_.run_for(5ms);
  EXPECT_FALSE(client.hears_now("250 2.1.0"));
  router_->answer(router_->questions.front());
  EXPECT_TRUE(client.hears("250 2.1.0"));
  EXPECT_TRUE(client.hears_now("354"));
}

TEST_F(Smtpd, lets_an_old_router_answer_what_it_was_asked) {
  start_all();
  auto old = std::move(router_);
  old->answer_at_once = false;
  Client client(*this);
  client.say("EHLO client.example\r\n");
  ASSERT_TRUE(client.hears("250 ENHANCEDSTATUSCODES"));
  client.say("MAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\n");
  ASSERT_TRUE(eventually([&] { return old->questions.size() == 1; }));
  connect_router();
  loop_.run_for(5ms);
  EXPECT_TRUE(router_->questions.empty());
  old->answer(old->questions.front());
  EXPECT_TRUE(client.hears("250 2.1.5"));
}

TEST_F(Smtpd, turns_away_more_sessions_than_its_bounds) {
  auto few = slice();
  few.max_sessions = 2;
  few.max_sessions_per_client = 1;
  start_all(few);
  Client first(*this);
  ASSERT_TRUE(first.hears("220"));
  Client second(*this);
  EXPECT_TRUE(second.hears("421 4.7.0"));
  EXPECT_TRUE(second.is_closed());
  EXPECT_EQ(records_.last(Decision::refused)->rule.name, "smtp.max_sessions_per_client");
  first.say("QUIT\r\n");
  EXPECT_TRUE(first.hears("221"));
  EXPECT_TRUE(first.is_closed());
  Client third(*this);
  EXPECT_TRUE(third.hears("220"));
}

TEST_F(Smtpd, times_out_idle_clients) {
  auto hasty = slice();
  hasty.command_seconds = 1;
  start_all(hasty);
  Client client(*this);
  ASSERT_TRUE(client.hears("220"));
  EXPECT_TRUE(eventually([&] { return client.hears("421 4.4.2 Timeout"); }));
  EXPECT_TRUE(client.is_closed());
}

TEST_F(Smtpd, keeps_sessions_when_it_drains_and_exits_after_the_last) {
  start_all();
  Client client(*this);
  ASSERT_TRUE(client.begin_message());
  service_->drain(false);
  loop_.run_for(5ms);
  EXPECT_FALSE(exited_);
  client.say("x\r\n.\r\n");
  EXPECT_TRUE(client.hears("250 2.0.0"));
  client.say("QUIT\r\n");
  EXPECT_TRUE(client.hears("221"));
  EXPECT_TRUE(eventually([&] { return exited_; }));
}

TEST_F(Smtpd, says_421_between_messages_when_it_must_stop) {
  start_all();
  Client idle(*this);
  ASSERT_TRUE(idle.hears("220"));
  Client busy(*this);
  ASSERT_TRUE(busy.begin_message());
  service_->drain(true);
  EXPECT_TRUE(idle.hears("421 4.3.2"));
  idle.close();
  busy.say("x\r\n.\r\n");
  EXPECT_TRUE(busy.hears("250 2.0.0"));
  EXPECT_TRUE(busy.hears("421 4.3.2"));
  busy.close();
  EXPECT_TRUE(eventually([&] { return exited_; }));
}

TEST_F(Smtpd, exits_at_once_without_sessions) {
  start_all();
  service_->drain(false);
  EXPECT_TRUE(exited_);
}

TEST_F(Smtpd, asks_once_to_be_replaced_after_its_sessions) {
  auto brief = slice();
  brief.retire_sessions = 2;
  start_all(brief);
  for (int i = 0; i < 4; ++i) {
    Client client(*this);
    client.say("QUIT\r\n");
    EXPECT_TRUE(client.hears("221"));
  }
  EXPECT_EQ(retired_.size(), 1U);
}

TEST_F(Smtpd, answers_a_client_that_closed_its_side_after_the_message) {
  start_all();
  spool_->commit_at_once = false;
  Client client(*this);
  ASSERT_TRUE(client.begin_message());
  client.say("x\r\n.\r\nQUIT\r\n");
  client.half_close();
  ASSERT_TRUE(eventually([&] { return spool_->commits.size() == 1; }));
  spool_->committed(spool_->commits.front().id);
  EXPECT_TRUE(client.hears("250 2.0.0"));
  EXPECT_TRUE(client.hears("221"));
  EXPECT_TRUE(client.is_closed());
}

TEST_F(Smtpd, lets_a_refused_client_read_why) {
  start_all();
  Client client(*this);
  ASSERT_TRUE(client.hears("220"));
  client.say("GET / HTTP/1.1\r\n" + std::string(200'000, 'x'));
  EXPECT_TRUE(client.hears("554 5.7.0"));
  EXPECT_TRUE(client.is_closed());
}

TEST_F(Smtpd, writes_replies_to_a_client_that_reads_late) {
  auto patient = slice();
  patient.max_commands = 1'000'000;
  start_all(patient);
  Client client(*this);
  client.say("EHLO client.example\r\n");
  ASSERT_TRUE(client.hears("250 ENHANCEDSTATUSCODES"));
  std::string many;
  constexpr int kMany = 20'000;
  for (int i = 0; i < 1000; ++i) many += "HELP\r\n";
  int said = 0;
  // The loop serves while nobody reads: replies fill the socket and the rest waits, with reading stopped.
  for (; said < kMany; said += 1000) {
    client.say(many);
    loop_.run_for(2ms);
  }
  client.say("NOOP\r\n");
  EXPECT_TRUE(client.hears("250 2.0.0 Ok"));
}

}  // namespace
}  // namespace sternpost::smtpd

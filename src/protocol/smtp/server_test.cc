// What dialogs cannot show: memory, and answers that nobody asked for.
#include "protocol/smtp/server.h"

#include <gtest/gtest.h>

#include <string>

namespace sternpost::smtp {
namespace {

const mail::Reply kOk{250, {2, 1, 5}, "Ok"};

ServerLimits limits() {
  ServerLimits limits;
  limits.hostname = "mx.example.org";
  limits.max_message_bytes = 10'000'000;
  limits.max_recipients = limits.max_commands = limits.max_errors = limits.max_messages = limits.max_hops =
      1000;
  limits.max_command_line = 1000;
  limits.max_text_line = 1000;
  limits.max_replies = 1000;
  return limits;
}

class SmtpServer : public testing::Test {
 protected:
  void SetUp() override {
    server.start();
    server.feed("EHLO x\r\n");
    server.feed("MAIL FROM:<>\r\nRCPT TO:<a@b>\r\n");
    server.verdict(std::get<VerifyRecipient>(server.actions().front()).request, kOk, {});
    server.actions().clear();
    server.replies().clear();
  }
  void data() {
    server.feed("DATA\r\n");
    server.actions().clear();
    server.grant_id(QueueId{7}, {});
    server.replies().clear();
  }

  ServerLimits bounds = limits();
  Server server{bounds, {"192.0.2.1", "192.0.2.1:1", "s"}};
};

TEST_F(SmtpServer, executes_no_more_commands_than_the_client_reads_replies_of) {
  std::string many;
  for (int i = 0; i < 500; ++i) many += "NOOP\r\n";
  server.feed(many);
  std::size_t answered = 0;
  int rounds = 0;
  do {
    auto& replies = server.replies();
    EXPECT_LE(replies.size(), bounds.max_replies + 100);
    answered += replies.size();
    if (rounds++ == 0) {
      EXPECT_FALSE(server.replies_written()) << "they are not";
      EXPECT_FALSE(server.wants_input());
    }
    replies.clear();
  } while (server.replies_written());
  EXPECT_EQ(answered, 500 * std::string("250 2.0.0 Ok\r\n").size());
  EXPECT_GT(rounds, 1);
  EXPECT_TRUE(server.wants_input());
}

TEST_F(SmtpServer, hands_on_content_in_full_pieces_and_keeps_little) {
  data();
  std::string line(100, 'x');
  line += "\r\n";
  std::uint64_t sent = 0;
  for (int i = 0; i < 10'000; ++i) {
    server.feed(line);
    for (const auto& action : server.actions()) {
      const auto& piece = std::get<SendPiece>(action);
      EXPECT_EQ(piece.bytes.size(), bounds.piece_bytes);
      sent += piece.bytes.size();
    }
    server.actions().clear();
  }
  server.feed(".\r\n");
  ASSERT_EQ(server.actions().size(), 1U);
  const auto& commit = std::get<Commit>(server.actions().front());
  EXPECT_LE(commit.last_piece.size(), bounds.piece_bytes);
  EXPECT_EQ(commit.bytes, 10'000U * line.size());
  EXPECT_GT(sent + commit.last_piece.size(), commit.bytes);
}

TEST_F(SmtpServer, keeps_content_of_exactly_one_piece_for_the_commit) {
  data();
  std::string line(98, 'x');
  line += "\r\n";
  for (std::size_t i = 0; i < bounds.piece_bytes / 100 - 2; ++i) server.feed(line);
  EXPECT_TRUE(server.actions().empty());
}

TEST_F(SmtpServer, ignores_answers_that_nobody_asked_for) {
  server.committed();
  server.not_committed({451, {4, 3, 0}, "x"}, {});
  server.grant_id(QueueId{1}, {});
  server.refuse_id({451, {4, 3, 0}, "x"}, {});
  server.verdict(99, kOk, {});
  EXPECT_EQ(server.replies(), "");
  EXPECT_TRUE(server.actions().empty());
  EXPECT_TRUE(server.wants_input());
}

TEST_F(SmtpServer, answers_one_verdict_once) {
  server.feed("RCPT TO:<c@d>\r\n");
  const auto request = std::get<VerifyRecipient>(server.actions().front()).request;
  server.verdict(request, kOk, {});
  server.verdict(request, kOk, {});
  EXPECT_EQ(server.replies(), "250 2.1.5 Ok\r\n");
}

TEST_F(SmtpServer, says_nothing_once_it_has_closed) {
  server.feed("RCPT TO:<c@d>\r\n");
  const auto request = std::get<VerifyRecipient>(server.actions().front()).request;
  server.disconnected();
  server.verdict(request, kOk, {});
  server.feed("NOOP\r\n");
  server.time_out();
  EXPECT_EQ(server.replies(), "");
}

TEST_F(SmtpServer, cleans_and_bounds_the_text_of_replies) {
  server.feed("RCPT TO:<c@d>\r\n");
  const auto request = std::get<VerifyRecipient>(server.actions().front()).request;
  server.verdict(request, {550, {5, 1, 1}, "a\r\n250 b\xff" + std::string(2000, 'c')}, {});
  const auto& reply = server.replies();
  EXPECT_TRUE(reply.starts_with("550 5.1.1 a??250 b?ccc"));
  EXPECT_LE(reply.size(), 512U);
  EXPECT_EQ(reply.find("\r\n"), reply.size() - 2);
}

TEST_F(SmtpServer, names_what_was_refused_in_records) {
  data();
  server.feed("x\ny\r\n.\r\n");
  const auto& refusal = std::get<Refusal>(server.actions().back());
  EXPECT_EQ(refusal.id, QueueId{7});
  EXPECT_EQ(refusal.sender, "<>");
  EXPECT_EQ(refusal.reply.code, 550);
}

}  // namespace
}  // namespace sternpost::smtp

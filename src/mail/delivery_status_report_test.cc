#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "mail/delivery_status_parts.h"

namespace sternpost::mail {
namespace {

using testing::HasSubstr;
using testing::Not;

NoticeFacts facts() {
  NoticeFacts facts;
  facts.reporting_mta = "mx.example.org";
  facts.recipients.push_back({.address = *Mailbox::from_wire("bob@example.net"),
                              .reply = {550, {5, 1, 1}, "no such mailbox here"},
                              .remote = "mx.example.net [192.0.2.7]",
                              .attempted = {}});
  return facts;
}

std::string wrapped(std::string_view text, std::size_t column, std::string_view next_line) {
  std::string out;
  append_wrapped(out, text, column, next_line);
  return out;
}

TEST(delivery_status_report, gives_a_status_that_agrees_with_the_action) {
  struct Case {
    NoticeKind kind;
    ReplyCode code;
    EnhancedStatus given;
    std::string_view told;
  };
  constexpr auto kFailed = NoticeKind::failed;
  constexpr auto kDelayed = NoticeKind::delayed;
  for (const auto& c : std::vector<Case>{{kFailed, 550, {5, 7, 1}, "5.7.1"},
                                         {kFailed, 550, {}, "5.0.0"},
                                         {kDelayed, 450, {}, "4.0.0"},
                                         {kFailed, 451, {4, 4, 7}, "4.4.7"},
                                         {kFailed, 0, {4, 4, 7}, "4.4.7"},
                                         {kFailed, 550, {4, 7, 1}, "5.7.1"},
                                         {kFailed, 550, {2, 1, 5}, "5.1.5"},
                                         {kDelayed, 450, {4, 2, 1}, "4.2.1"},
                                         {kDelayed, 450, {5, 2, 1}, "4.2.1"},
                                         {kDelayed, 450, {9, 9999, 65535}, "4.999.999"}}) {
    auto about = facts();
    about.kind = c.kind;
    about.recipients.front().reply = {c.code, c.given, "x"};
    EXPECT_THAT(notice_report(about), HasSubstr("\r\nStatus: " + std::string(c.told) + "\r\n"));
  }
}

TEST(delivery_status_report, takes_the_name_of_the_remote_host) {
  using Case = std::pair<std::string_view, std::string_view>;
  for (const auto& [remote, name] : std::vector<Case>{{"mx.example.net [192.0.2.7]", "mx.example.net"},
                                                      {"mx.example.net", "mx.example.net"},
                                                      {"[192.0.2.7]", "[192.0.2.7]"},
                                                      {" [2001:db8::1]", "[2001:db8::1]"},
                                                      {"mx\r\nAction: (x) [", "mx??Action:??x?"}}) {
    auto about = facts();
    about.recipients.front().remote = remote;
    const auto notice = notice_report(about);
    EXPECT_THAT(notice, HasSubstr("\r\nRemote-MTA: dns; " + std::string(name) + "\r\n"));
  }
  auto bounded = facts();
  bounded.recipients.front().remote = std::string(5000, 'a') + " [192.0.2.7]";
  const auto notice = notice_report(bounded);
  EXPECT_THAT(notice, HasSubstr("\r\nRemote-MTA: dns;\r\n " + std::string(255, 'a') + "\r\n"));
  EXPECT_THAT(notice, Not(HasSubstr(std::string(321, 'a'))));
}

TEST(append_wrapped, breaks_at_the_last_space_that_fits) {
  const std::string word(38, 'w');
  EXPECT_EQ(wrapped("", 10, "> "), "");
  EXPECT_EQ(wrapped(" a b ", 10, "> "), "a b");
  EXPECT_EQ(wrapped(word + " " + word.substr(1), 0, "> "), word + " " + word.substr(1));
  EXPECT_EQ(wrapped(word + " " + word, 0, "> "), word + "\r\n> " + word);
  EXPECT_EQ(wrapped("a " + word + " " + word, 38, "> "), "a\r\n> " + word + "\r\n> " + word);
  EXPECT_EQ(wrapped("a b", 200, "> "), "a\r\n> b");
}

TEST(append_wrapped, leaves_long_words_whole) {
  const std::string word(200, 'w');
  EXPECT_EQ(wrapped(word, 10, "> "), word);
  EXPECT_EQ(wrapped(word + " a " + word + " b", 10, "> "), word + "\r\n> a\r\n> " + word + "\r\n> b");
}

TEST(append_wrapped, makes_no_line_of_spaces_alone) {
  const std::string spaces(300, ' ');
  EXPECT_EQ(wrapped("a" + spaces + "b" + spaces, 10, " "), "a" + spaces.substr(1) + "\r\n b");
  EXPECT_EQ(wrapped("a b" + spaces + "c", 10, " "), "a\r\n b" + spaces.substr(1) + "\r\n c");
}

TEST(one_line, is_printable_and_bounded) {
  EXPECT_EQ(one_line("\t a\tb\r\n\xff \\ ", 100), "a b??? \\");
  EXPECT_EQ(one_line("abcd", 4), "abcd");
  EXPECT_EQ(one_line("abcde", 4), "abcd...");
}

}  // namespace
}  // namespace sternpost::mail

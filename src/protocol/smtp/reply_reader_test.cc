#include "protocol/smtp/reply_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace sternpost::smtp {
namespace {

using namespace std::string_view_literals;

struct Reading {
  std::vector<std::string> replies;
  std::string lines;  ///< of the last one
  std::string fault;
  bool pending = false;

  bool operator==(const Reading&) const = default;
};

void take_all(ReplyReader& reader, Reading& reading) {
  while (reading.fault.empty()) {
    const auto reply = reader.next();
    if (!reply) return;
    if (*reply) {
      reading.replies.push_back(to_string(**reply));
      reading.lines = reader.lines();
    } else {
      EXPECT_EQ(reply->error().what_to_do, ErrorClass::peer);
      reading.fault = reply->error().text;
    }
  }
}

/// Reads `octets` at once and one by one, which must not differ.
Reading read(std::string_view octets) {
  Reading whole;
  ReplyReader reader;
  reader.feed(octets);
  take_all(reader, whole);
  whole.pending = reader.pending();

  Reading slow;
  ReplyReader slow_reader;
  for (const char c : octets) {
    slow_reader.feed({&c, 1});
    take_all(slow_reader, slow);
    if (!slow.fault.empty()) break;
  }
  slow.pending = slow_reader.pending();
  EXPECT_EQ(whole.replies, slow.replies);
  EXPECT_EQ(whole.fault, slow.fault);
  if (whole.fault.empty()) EXPECT_EQ(whole.pending, slow.pending);
  return whole;
}

using Replies = std::vector<std::string>;

TEST(replies, have_a_code_a_status_and_a_text) {
  EXPECT_EQ(read("250 2.1.5 Ok\r\n").replies, Replies{"250 2.1.5 Ok"});
  EXPECT_EQ(read("550 no such mailbox\r\n").replies, Replies{"550 no such mailbox"});
  EXPECT_EQ(read("354 go\r\n421 4.3.2 closing\r\n").replies, (Replies{"354 go", "421 4.3.2 closing"}));
}

TEST(replies, of_several_lines_become_one) {
  const auto reading = read("550-5.7.1 Refused:\r\n550-5.7.1\r\n550-\r\n550 5.7.1  see example.org\r\n");
  EXPECT_EQ(reading.replies, Replies{"550 5.7.1 Refused: see example.org"});
  EXPECT_EQ(reading.lines, "5.7.1 Refused:\n5.7.1\n\n5.7.1  see example.org\n");
}

TEST(replies, without_text_or_with_lf_alone_are_taken) {
  EXPECT_EQ(read("250\r\n").replies, Replies{"250 "});
  EXPECT_EQ(read("250 \r\n").replies, Replies{"250 "});
  EXPECT_EQ(read("250-a\n250 b\n").replies, Replies{"250 a b"});
  EXPECT_EQ(read("250-a\n250\n").replies, Replies{"250 a"});
}

TEST(replies, have_only_a_status_that_fits_the_code) {
  EXPECT_EQ(read("550 4.1.1 x\r\n").replies, Replies{"550 4.1.1 x"});
  ReplyReader reader;
  reader.feed("550 4.1.1 x\r\n354 3.0.0 x\r\n250 2.0 x\r\n250 2.0.0x\r\n250 2.1000.0 x\r\n250 2.0.0\r\n");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(reader.next().value()->status, mail::EnhancedStatus());
  const auto last = reader.next();
  EXPECT_EQ(last.value()->status, (mail::EnhancedStatus{2, 0, 0}));
  EXPECT_EQ(last.value()->text, "");
}

TEST(replies, keep_printable_ascii_only) {
  EXPECT_EQ(read("250 a\tb\x1b[2J\xc3\xa9\x7f\r\n").replies, Replies{"250 a b?[2J???"});
}

TEST(replies, keep_a_bounded_text) {
  const auto reading = read("250-" + std::string(400, 'a') + "\r\n250 " + std::string(400, 'b') + "\r\n");
  EXPECT_EQ(reading.replies, Replies{"250 " + std::string(400, 'a') + " " + std::string(111, 'b')});
}

TEST(replies, are_not_there_before_their_end) {
  EXPECT_TRUE(read("250-a\r\n250 b\r").replies.empty());
  EXPECT_TRUE(read("250-a\r\n").pending);
  EXPECT_TRUE(read("250 a\r\n2").pending);
  EXPECT_FALSE(read("250 a\r\n").pending);
  EXPECT_FALSE(read("").pending);
}

TEST(replies, that_are_none_are_faults) {
  for (const auto octets : {"\r\n"sv, "25\r\n"sv, "25a ok\r\n"sv, "150 x\r\n"sv, "600 x\r\n"sv, "250x\r\n"sv,
                            "2500\r\n"sv, "250\tx\r\n"sv, "HTTP/1.1 400 Bad Request\r\n"sv, " 250 x\r\n"sv,
                            "250 a\rb\r\n"sv, "250 a\0b\r\n"sv, "250-a\r\nb\r\n"sv, "\x16\x03\x01\x02\n"sv}) {
    const auto reading = read(octets);
    EXPECT_TRUE(reading.fault.ends_with("which is no reply")) << octets;
    EXPECT_TRUE(reading.replies.empty()) << octets;
  }
  EXPECT_EQ(read("GET\x1b\r\n").fault, "\"GET\\x1b\", which is no reply");
  EXPECT_EQ(read("250-a\r\n550 b\r\n").fault, "a reply with both codes 250 and 550");
}

TEST(replies, have_a_bound_on_lines) {
  const auto longest = "250 " + std::string(ReplyReader::kMaxLine - 6, 'x');
  EXPECT_EQ(read(longest + "\r\n").fault, "");
  EXPECT_EQ(read(longest + "x\r\n").fault, "a reply with a line longer than 2048 octets");
  EXPECT_EQ(read(std::string(3 * ReplyReader::kMaxLine, '2')).fault,
            "a reply with a line longer than 2048 octets")
      << "its end need not come";
}

TEST(replies, have_a_bound_on_the_whole) {
  std::string lines;
  for (std::size_t i = 1; i < ReplyReader::kMaxLines; ++i) lines += "250-\r\n";
  EXPECT_EQ(read(lines + "250 \r\n").replies.size(), 1U);
  EXPECT_EQ(read(lines + "250-\r\n250 \r\n").fault, "a reply of more than 512 lines");

  std::string octets;
  const auto line = "250-" + std::string(1018, 'x') + "\r\n";
  for (int i = 0; i < 63; ++i) octets += line;
  EXPECT_EQ(read(octets + "250 " + std::string(1018, 'x') + "\r\n").replies.size(), 1U);
  EXPECT_EQ(read(octets + "250 " + std::string(1019, 'x') + "\r\n").fault,
            "a reply longer than 65536 octets");
}

}  // namespace
}  // namespace sternpost::smtp

#include "mail/header.h"

#include <gtest/gtest.h>

#include <string>

namespace sternpost::mail {
namespace {

constexpr std::string_view kMessage =
    "Received: from a by b;\r\n\tSat, 21 Nov 2026 08:13:32 +0000\r\n"
    "Subject : folded\r\n  twice\r\n"
    "Delivered-To: bob@example.org\r\n"
    "delivered-to:\t carol@example.org \r\n"
    "\r\n"
    "Received: in the body\r\n";

TEST(header, gives_fields_with_their_folds) {
  HeaderReader reader(kMessage);
  const auto received = reader.next();
  ASSERT_TRUE(received);
  EXPECT_EQ(received->name, "Received");
  EXPECT_EQ(received->value, " from a by b;\r\n\tSat, 21 Nov 2026 08:13:32 +0000");
  const auto subject = reader.next();
  ASSERT_TRUE(subject);
  EXPECT_EQ(subject->name, "Subject");
  EXPECT_EQ(unfold(subject->value), "folded  twice");
  EXPECT_TRUE(reader.next());
  EXPECT_TRUE(reader.next());
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.next());
  EXPECT_EQ(kMessage.substr(reader.body_offset()), "Received: in the body\r\n");
  EXPECT_FALSE(reader.cut_short());
}

TEST(header, finds_all_values_of_a_name) {
  EXPECT_EQ(field_values(kMessage, "Delivered-To"),
            (std::vector<std::string>{"bob@example.org", "carol@example.org"}));
  EXPECT_TRUE(field_values(kMessage, "Delivered").empty());
}

TEST(header, reads_lines_of_bare_lf_too) {
  EXPECT_EQ(field_values("A: 1\nB: 2\n 3\n\nA: body\n", "B"), (std::vector<std::string>{"2 3"}));
  EXPECT_EQ(field_values("A: 1\nB: 2", "B"), (std::vector<std::string>{"2"}));
}

TEST(header, ends_at_a_line_that_is_no_field) {
  for (const char* message : {"A: 1\r\nno field here\r\nB: 2\r\n", "A: 1\r\n: x\r\nB: 2\r\n",
                              "A: 1\r\n\r\nB: 2\r\n", "A: 1\r\n\xff\xff: x\r\nB: 2\r\n"}) {
    HeaderReader reader(message);
    EXPECT_TRUE(reader.next()) << message;
    EXPECT_FALSE(reader.next()) << message;
    EXPECT_FALSE(reader.cut_short()) << message;
  }
}

TEST(header, says_when_a_bound_cut_it_short) {
  HeaderReader few("A: 1\r\nB: 2\r\nC: 3\r\n\r\n", {.max_bytes = 1000, .max_fields = 2});
  EXPECT_TRUE(few.next());
  EXPECT_TRUE(few.next());
  EXPECT_FALSE(few.next());
  EXPECT_TRUE(few.cut_short());
  HeaderReader small("A: 1\r\nB: 2\r\nC: 3\r\n\r\n", {.max_bytes = 7, .max_fields = 10});
  EXPECT_TRUE(small.next());
  EXPECT_FALSE(small.next());
  EXPECT_TRUE(small.cut_short());
}

TEST(header, of_nothing_is_empty) {
  HeaderReader reader("");
  EXPECT_FALSE(reader.next());
  EXPECT_EQ(reader.body_offset(), 0U);
}

TEST(hops, are_received_fields_of_the_header) {
  EXPECT_EQ(count_received(kMessage), 1U);
  EXPECT_EQ(
      count_received(
          "RECEIVED:x\r\nreceived  : y\r\nReceived-SPF: z\r\n Received: fold\r\nX: 1\r\nReceived: last"),
      3U);
  EXPECT_EQ(count_received("\r\nReceived: x\r\n"), 0U);
  EXPECT_EQ(count_received(""), 0U);
}

TEST(hops, are_the_same_however_the_content_comes) {
  for (std::size_t size = 1; size < kMessage.size(); ++size) {
    HopCounter counter;
    for (std::size_t at = 0; at < kMessage.size(); at += size) counter.feed(kMessage.substr(at, size));
    EXPECT_EQ(counter.hops(), 1U) << size;
    EXPECT_TRUE(counter.header_ended()) << size;
  }
}

}  // namespace
}  // namespace sternpost::mail

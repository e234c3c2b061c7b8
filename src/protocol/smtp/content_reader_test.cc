#include "protocol/smtp/content_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace sternpost::smtp {
namespace {

struct Reading {
  std::string content;
  std::size_t taken = 0;
  bool ended = false;
  ContentFaults faults;
};

/// Reads `input` in pieces of `size` octets.
Reading read_in_pieces(std::string_view input, std::size_t size, LineEnd line_end = LineEnd::crlf,
                       std::size_t max_line = 1000) {
  ContentReader reader(line_end, max_line);
  Reading reading;
  for (std::size_t at = 0; at < input.size() && !reader.ended(); at += size) {
    reading.taken += reader.read(input.substr(at, size), reading.content);
  }
  reading.ended = reader.ended();
  reading.faults = reader.faults();
  return reading;
}

/// The same however it is cut.
Reading read_all(std::string_view input, LineEnd line_end = LineEnd::crlf, std::size_t max_line = 1000) {
  auto whole = read_in_pieces(input, input.size(), line_end, max_line);
  for (std::size_t size = 1; size < input.size(); ++size) {
    const auto cut = read_in_pieces(input, size, line_end, max_line);
    EXPECT_EQ(cut.taken, whole.taken) << size;
    EXPECT_EQ(cut.ended, whole.ended) << size;
    EXPECT_EQ(cut.faults.any(), whole.faults.any()) << size;
    EXPECT_EQ(cut.faults.long_line, whole.faults.long_line) << size;
    if (!whole.faults.any()) EXPECT_EQ(cut.content, whole.content) << size;
  }
  return whole;
}

TEST(content, ends_at_crlf_dot_crlf_and_takes_nothing_behind) {
  const auto reading = read_all("one\r\ntwo\r\n.\r\nQUIT\r\n");
  EXPECT_TRUE(reading.ended);
  EXPECT_FALSE(reading.faults.any());
  EXPECT_EQ(reading.content, "one\r\ntwo\r\n");
  EXPECT_EQ(reading.taken, std::string_view("one\r\ntwo\r\n.\r\n").size());
}

TEST(content, may_be_empty) {
  const auto reading = read_all(".\r\nQUIT\r\n");
  EXPECT_TRUE(reading.ended);
  EXPECT_EQ(reading.content, "");
  EXPECT_EQ(reading.taken, 3U);
}

TEST(content, loses_only_the_dots_of_transparency) {
  EXPECT_EQ(read_all("..\r\n...x\r\n.y\r\nz.\r\n\r\n..\r\n.\r\n").content,
            ".\r\n..x\r\ny\r\nz.\r\n\r\n.\r\n");
}

TEST(content, is_ended_by_no_other_sequence) {
  using namespace std::string_view_literals;
  for (const auto sequence : {"\n.\n"sv, "\n.\r"sv, "\r.\n"sv, "\r.\r"sv, "\n.\r\n"sv, "\r.\r\n"sv,
                              "\r\n.\n"sv, "\r\n.\r"sv, "\r\n\0.\r\n"sv, "\r\n.\0\r\n"sv, "\r\n.\r\r\n"sv,
                              "\r\r\n.\r\r\n"sv, "\n.\n.\r\n"sv, "\r\n.\r.\r\n"sv}) {
    const auto smuggled = "text" + std::string(sequence) + "MAIL FROM:<>\r\n";
    const auto reading = read_all(smuggled + ".\r\nQUIT\r\n");
    EXPECT_TRUE(reading.ended);
    EXPECT_TRUE(reading.faults.any());
    EXPECT_EQ(reading.taken, smuggled.size() + 3) << sequence;
  }
}

TEST(content, faults_are_told_apart) {
  EXPECT_TRUE(read_all("a\nb\r\n.\r\n").faults.bare_lf);
  EXPECT_FALSE(read_all("a\nb\r\n.\r\n").faults.bare_cr);
  EXPECT_TRUE(read_all("a\rb\r\n.\r\n").faults.bare_cr);
  EXPECT_FALSE(read_all("a\rb\r\n.\r\n").faults.bare_lf);
  EXPECT_TRUE(read_all(std::string_view("a\0b\r\n.\r\n", 8)).faults.nul);
  EXPECT_FALSE(read_all(std::string_view("ab\r\n.\r\n\0", 8)).faults.any());
}

TEST(content, has_a_bound_on_lines) {
  EXPECT_FALSE(read_all("12345678\r\n.\r\n", LineEnd::crlf, 10).faults.any());
  EXPECT_TRUE(read_all("123456789\r\n.\r\n", LineEnd::crlf, 10).faults.long_line);
  EXPECT_TRUE(read_all("ok\r\n.23456789\r\n.\r\n", LineEnd::crlf, 10).faults.long_line);
  EXPECT_FALSE(read_all("123456789\n.\n", LineEnd::lf, 10).faults.any());
  EXPECT_TRUE(read_all("1234567890\n.\n", LineEnd::lf, 10).faults.long_line);
}

TEST(content_of_lf, becomes_crlf_and_ends_at_lf_dot_lf) {
  const auto reading = read_all("one\n..two\n\n.three\n.\nQUIT\n", LineEnd::lf);
  EXPECT_TRUE(reading.ended);
  EXPECT_FALSE(reading.faults.any());
  EXPECT_EQ(reading.content, "one\r\n.two\r\n\r\nthree\r\n");
  EXPECT_EQ(reading.taken, std::string_view("one\n..two\n\n.three\n.\n").size());
}

TEST(content_of_lf, is_not_ended_by_crlf_dot_crlf_and_has_no_cr) {
  const auto reading = read_all("one\r\n.\r\ntwo\n.\nQUIT\n", LineEnd::lf);
  EXPECT_TRUE(reading.ended);
  EXPECT_TRUE(reading.faults.bare_cr);
  EXPECT_EQ(reading.taken, std::string_view("one\r\n.\r\ntwo\n.\n").size());
  EXPECT_TRUE(read_all(std::string_view("a\0\n.\n", 5), LineEnd::lf).faults.nul);
}

}  // namespace
}  // namespace sternpost::smtp

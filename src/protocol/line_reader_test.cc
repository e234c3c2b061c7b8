#include "protocol/line_reader.h"

#include <gtest/gtest.h>

#include <string>

namespace sternpost {
namespace {

TEST(line_reader, gives_lines_and_keeps_the_rest) {
  LineReader reader(100);
  std::string_view input = "one\r\ntwo\r\nthr";
  EXPECT_EQ(reader.next(input)->text, "one");
  EXPECT_EQ(reader.next(input)->text, "two");
  EXPECT_FALSE(reader.next(input));
  EXPECT_EQ(input, "thr");
}

TEST(line_reader, tells_line_ends_apart) {
  LineReader reader(100);
  std::string_view input = "a\r\nb\n\r\n\n";
  EXPECT_EQ(reader.next(input)->end, LineEnd::crlf);
  const auto bare = reader.next(input);
  EXPECT_EQ(bare->end, LineEnd::lf);
  EXPECT_EQ(bare->text, "b");
  EXPECT_EQ(reader.next(input)->end, LineEnd::crlf);
  EXPECT_EQ(reader.next(input)->end, LineEnd::lf);
}

TEST(line_reader, reports_bare_cr_and_nul) {
  LineReader reader(100);
  std::string_view input("a\rb\r\nc\r\r\nd\0e\r\n", 14);
  EXPECT_EQ(reader.next(input)->fault, LineFault::bare_cr);
  EXPECT_EQ(reader.next(input)->fault, LineFault::bare_cr);
  EXPECT_EQ(reader.next(input)->fault, LineFault::nul);
}

TEST(line_reader, takes_a_line_of_exactly_the_bound) {
  LineReader reader(5);
  std::string_view input = "abc\r\nabcd\r\nabc\r\n";
  EXPECT_EQ(reader.next(input)->fault, LineFault::none);
  EXPECT_EQ(reader.next(input)->fault, LineFault::too_long);
  EXPECT_EQ(reader.next(input)->text, "abc");
}

TEST(line_reader, drops_an_endless_line_as_it_comes) {
  LineReader reader(8);
  const std::string endless(1000, 'x');
  for (int i = 0; i < 3; ++i) {
    std::string_view input = endless;
    EXPECT_FALSE(reader.next(input));
    EXPECT_TRUE(input.empty());
  }
  std::string_view input = "end\r\nNOOP\r\n";
  EXPECT_EQ(reader.next(input)->fault, LineFault::too_long);
  EXPECT_EQ(reader.next(input)->text, "NOOP");
}

TEST(line_reader, remembers_the_cr_of_a_dropped_line) {
  for (const bool with_cr : {true, false}) {
    LineReader reader(8);
    const std::string first = std::string(20, 'x') + (with_cr ? "\r" : "");
    std::string_view input = first;
    EXPECT_FALSE(reader.next(input));
    input = "\n";
    EXPECT_EQ(reader.next(input)->end, with_cr ? LineEnd::crlf : LineEnd::lf);
  }
}

TEST(line_reader, never_leaves_more_than_the_bound) {
  LineReader reader(8);
  std::string_view input = "1234567";
  EXPECT_FALSE(reader.next(input));
  EXPECT_EQ(input.size(), 7U);
  input = "12345678";
  EXPECT_FALSE(reader.next(input));
  EXPECT_EQ(input.size(), 0U);
}

}  // namespace
}  // namespace sternpost

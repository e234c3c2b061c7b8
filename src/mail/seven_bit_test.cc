#include "mail/seven_bit.h"

#include <gtest/gtest.h>

#include <random>

namespace sternpost::mail {
namespace {

std::size_t longest_line(std::string_view text) {
  std::size_t longest = 0;
  while (!text.empty()) {
    const auto end = std::min(text.find("\r\n"), text.size());
    longest = std::max(longest, end);
    text.remove_prefix(std::min(end + 2, text.size()));
  }
  return longest;
}

/// RFC 2045 section 6.7 read backwards, for what the encoder writes.
std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '=') {
      out.push_back(text[i]);
      continue;
    }
    const auto two = std::string(text.substr(i + 1, 2));
    if (two != "\r\n") out.push_back(static_cast<char>(std::stoi(two, nullptr, 16)));
    i += 2;
  }
  return out;
}

TEST(seven_bit, is_what_rfc_2045_says) {
  using namespace std::string_view_literals;
  EXPECT_TRUE(is_seven_bit(""));
  EXPECT_TRUE(is_seven_bit("a\x7f\t\x01\r\n\r\nlast"));
  EXPECT_FALSE(is_seven_bit("a\0b"sv));
  EXPECT_FALSE(is_seven_bit("a\x80"));
  EXPECT_FALSE(is_seven_bit("a\nb\r\n"));
  EXPECT_FALSE(is_seven_bit("a\rb\r\n"));
  EXPECT_FALSE(is_seven_bit("a\r\r\n"));
  EXPECT_FALSE(is_seven_bit("a\r\nb\r"));
}

TEST(seven_bit, bounds_each_line_at_998_octets) {
  const std::string most(998, 'x');
  EXPECT_TRUE(is_seven_bit(most));
  EXPECT_TRUE(is_seven_bit(most + "\r\n" + most + "\r\n"));
  EXPECT_FALSE(is_seven_bit(most + "x"));
  EXPECT_FALSE(is_seven_bit("a\r\n" + most + "x\r\n"));
}

TEST(quoted_printable, leaves_plain_lines_as_they_are) {
  EXPECT_EQ(quoted_printable(""), "");
  EXPECT_EQ(quoted_printable("Subject: \ta b\r\n\r\nc"), "Subject: \ta b\r\n\r\nc");
}

TEST(quoted_printable, encodes_what_would_not_arrive_unchanged) {
  using namespace std::string_view_literals;
  EXPECT_EQ(quoted_printable("a=b\xc3\xa4\0\x7f"sv), "a=3Db=C3=A4=00=7F");
  EXPECT_EQ(quoted_printable("a \r\nb\t\r\nc "), "a=20\r\nb=09\r\nc=20");
  EXPECT_EQ(quoted_printable("a\nb\rc\r\r\nd\r"), "a=0Ab=0Dc=0D\r\nd=0D");
}

TEST(quoted_printable, breaks_lines_at_76_columns) {
  const std::string line(76, 'x');
  EXPECT_EQ(quoted_printable(line), line);
  EXPECT_EQ(quoted_printable(line + "y"), std::string(75, 'x') + "=\r\nxy");
  EXPECT_EQ(longest_line(quoted_printable(std::string(10'000, '\xff'))), 76U);
}

TEST(quoted_printable, gives_any_octets_back) {
  std::mt19937 random(17);
  constexpr std::string_view kOften =
      "\r\n =\t\xff"
      "ab";
  for (int round = 0; round < 2000; ++round) {
    std::string text(random() % 400, '\0');
    for (char& c : text) {
      c = random() % 2 == 0 ? kOften[random() % kOften.size()] : static_cast<char>(random());
    }
    const auto encoded = quoted_printable(text);
    EXPECT_EQ(decoded(encoded), text);
    EXPECT_TRUE(is_seven_bit(encoded));
    EXPECT_LE(longest_line(encoded), 76U);
  }
}

}  // namespace
}  // namespace sternpost::mail

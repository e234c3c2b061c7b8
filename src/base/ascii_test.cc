#include "base/ascii.h"

#include <gtest/gtest.h>

namespace sternpost {
namespace {

TEST(ascii, folds_letters_and_nothing_else) {
  EXPECT_TRUE(equals_ignoring_case("Content-Type_[1]", "cONTENT-tYPE_[1]"));
  EXPECT_FALSE(equals_ignoring_case("a", "ab"));
  EXPECT_FALSE(equals_ignoring_case("[", "{"));
  EXPECT_FALSE(equals_ignoring_case("@", "`"));
  EXPECT_FALSE(equals_ignoring_case("\xc4", "\xe4"));
}

TEST(ascii, trims_white_space_within_a_line_only) {
  EXPECT_EQ(trimmed(" \ta b\t "), "a b");
  EXPECT_EQ(trimmed("\r\n"), "\r\n");
  EXPECT_EQ(trimmed(" \t"), "");
}

TEST(ascii, knows_its_classes_at_their_edges) {
  EXPECT_TRUE(is_printable(' ') && is_printable('~'));
  EXPECT_FALSE(is_printable('\x7f') || is_printable('\x1f') || is_printable('\xff'));
  EXPECT_TRUE(is_alphanumeric('0') && is_alphanumeric('9') && is_alphanumeric('Z') && is_alphanumeric('a'));
  EXPECT_FALSE(is_alphanumeric('/') || is_alphanumeric(':') || is_alphanumeric('@') || is_alphanumeric('{'));
}

}  // namespace
}  // namespace sternpost

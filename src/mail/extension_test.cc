#include "mail/extension.h"

#include <gtest/gtest.h>

namespace sternpost::mail {
namespace {

TEST(Extension, IsCutAtTheFirstDelimiter) {
  EXPECT_EQ(without_extension("user+lists+c", "+"), "user");
  EXPECT_EQ(without_extension("user+", "+"), "user");
}

TEST(Extension, IsAbsentWithoutDelimiterOrUser) {
  EXPECT_FALSE(without_extension("user", "+"));
  EXPECT_FALSE(without_extension("+user", "+"));
  EXPECT_FALSE(without_extension("user+ext", ""));
  EXPECT_FALSE(without_extension("user+-ext", "+-"));
}

TEST(FoldCase, TouchesAsciiLettersOnly) {
  EXPECT_EQ(fold_case("PostMaster[Z]@{z}"), "postmaster[z]@{z}");
  EXPECT_EQ(fold_case("\xC3\x84"), "\xC3\x84");
}

}  // namespace
}  // namespace sternpost::mail

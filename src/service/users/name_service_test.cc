#include "service/users/name_service.h"

#include <gtest/gtest.h>

namespace sternpost::users {
namespace {

TEST(NameService, KnowsAnOrdinaryUserWithItsGroups) {
  const auto nobody = look_up("nobody", 1, 7);
  ASSERT_EQ(nobody.answer, Answer::found);
  EXPECT_EQ(nobody.request, 7U);
  EXPECT_NE(nobody.uid, 0U);
  ASSERT_FALSE(nobody.gids.empty());
  EXPECT_LE(nobody.gids.size(), kMaxGroups);
}

TEST(NameService, ReservedAndMissingUsersAreUnknown) {
  EXPECT_EQ(look_up("root", 0, 1).answer, Answer::unknown);
  EXPECT_EQ(look_up("nobody", 4'000'000'000U, 1).answer, Answer::unknown);
  const auto missing = look_up("no-such-user-here", 0, 1);
  EXPECT_EQ(missing.answer, Answer::unknown);
  EXPECT_EQ(missing.uid, 0U);
}

TEST(NameService, NamesAreBoundedAndSafe) {
  EXPECT_TRUE(is_safe_name(std::string(64, 'a')));
  EXPECT_FALSE(is_safe_name(std::string(65, 'a')));
  for (const auto* name : {"", "-x", ".x", "a/b", "a b", "a:b", "a\nb", "a+b"})
    EXPECT_FALSE(is_safe_name(name)) << name;
  EXPECT_FALSE(is_safe_name(std::string_view("nobody\0x", 8)));
  EXPECT_EQ(look_up("nobody\n", 1, 1).answer, Answer::unknown);
}

TEST(NameService, WarmsUp) {
  EXPECT_TRUE(warm_up());
}

}  // namespace
}  // namespace sternpost::users

#include "service/users/name_service.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace sternpost::users {
namespace {

TEST(NameService, KnowsAnOrdinaryUserWithItsGroups) {
  const auto daemon = look_up("daemon", 1, 7);
  ASSERT_EQ(daemon.answer, Answer::found);
  EXPECT_EQ(daemon.request, 7U);
  EXPECT_NE(daemon.uid, 0U);
  ASSERT_FALSE(daemon.gids.empty());
  EXPECT_LE(daemon.gids.size(), kMaxGroups);
}

TEST(NameService, ReservedAndMissingUsersAreUnknown) {
  EXPECT_EQ(look_up("root", 0, 1).answer, Answer::unknown);
  EXPECT_EQ(look_up("daemon", 4'000'000'000U, 1).answer, Answer::unknown);
  EXPECT_EQ(look_up("nobody", 1, 1).answer, Answer::unknown);
  const auto missing = look_up("no-such-user-here", 0, 1);
  EXPECT_EQ(missing.answer, Answer::unknown);
  EXPECT_EQ(missing.uid, 0U);
}

TEST(NameService, NamesAreBoundedAndSafe) {
  EXPECT_TRUE(is_safe_name(std::string(64, 'a')));
  EXPECT_FALSE(is_safe_name(std::string(65, 'a')));
  for (const auto* name : {"", "-x", ".x", "a/b", "a b", "a:b", "a\nb", "a+b"})
    EXPECT_FALSE(is_safe_name(name)) << name;
  EXPECT_FALSE(is_safe_name(std::string_view("daemon\0x", 8)));
  EXPECT_EQ(look_up("daemon\n", 1, 1).answer, Answer::unknown);
}

TEST(NameService, ASourceThatCannotBeAskedSaysNothingAboutAUser) {
  EXPECT_EQ(answer_without_entry(0), Answer::unknown);
  for (const int error : {ENOENT, ESRCH, EPERM, EBADF, EACCES, EIO, EMFILE, ECONNREFUSED})
    EXPECT_EQ(answer_without_entry(error), Answer::unavailable) << error;
}

TEST(NameService, LeavesSystemdOutOfTheSources) {
  EXPECT_EQ(sources_without_systemd("passwd:         files systemd", "passwd"), "files");
  EXPECT_EQ(sources_without_systemd(" passwd : files [!UNAVAIL=return] systemd [SUCCESS=merge] ldap # all",
                                    "passwd"),
            "files [!UNAVAIL=return] ldap");
  EXPECT_EQ(sources_without_systemd("group: files systemd[SUCCESS=return]\tsss", "group"), "files sss");
  for (const auto* line :
       {"passwd: files ldap", "passwd: systemd", "group: files systemd", "passwd files systemd",
        "#passwd: files systemd", "passwd: files # systemd", "passwdx: files systemd", ""})
    EXPECT_FALSE(sources_without_systemd(line, "passwd")) << line;
}

TEST(NameService, StillKnowsUsersAfterItHasWarmedUp) {
  ASSERT_TRUE(warm_up());
  EXPECT_EQ(look_up("daemon", 1, 1).answer, Answer::found);
  EXPECT_EQ(look_up("no-such-user-here", 0, 1).answer, Answer::unknown);
}

}  // namespace
}  // namespace sternpost::users

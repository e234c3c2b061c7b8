#include "service/master/instance.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace sternpost {
namespace {

namespace fs = std::filesystem;

class InstanceFoldersTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "instance-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    base_ = name;
    slice_.state_directory = base_ / "state";
    slice_.mail_directory = base_ / "mail";
    slice_.deferred_directory = base_ / "state/spool";
    slice_.uid_base = 71'000;
  }
  void TearDown() override { fs::remove_all(base_); }

  [[nodiscard]] Result<InstanceFolders> open() const {
    return InstanceFolders::open(slice_, ::geteuid() == 0);
  }
  [[nodiscard]] static uid_t owner(const fs::path& path) {
    struct stat status{};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return status.st_uid;
  }

  fs::path base_;
  config::MasterSlice slice_;
};

TEST_F(InstanceFoldersTest, are_made_and_found_again) {
  ASSERT_TRUE(open());
  const auto again = open();
  ASSERT_TRUE(again) << again.error().text;
  struct stat status{};
  ASSERT_EQ(::stat((base_ / "state/spool").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0700U);
}

TEST_F(InstanceFoldersTest, of_the_queue_are_one_unless_another_is_named) {
  const auto one = open();
  ASSERT_TRUE(one) << one.error().text;
  EXPECT_EQ(one->descriptor(Place::deferred), one->descriptor(Place::spool));
  slice_.state_directory = base_ / "second";
  slice_.deferred_directory = base_ / "deferred";
  const auto two = open();
  ASSERT_TRUE(two) << two.error().text;
  EXPECT_NE(two->descriptor(Place::deferred), two->descriptor(Place::spool));
  EXPECT_EQ(owner(base_ / "deferred"), owner(base_ / "second/spool"));
}

TEST_F(InstanceFoldersTest, of_a_queue_that_somebody_uses_are_refused) {
  slice_.deferred_directory = base_ / "deferred";
  ASSERT_TRUE(open());
  {
    const UniqueFd used(::open((base_ / "deferred").c_str(), O_RDONLY | O_DIRECTORY));
    ASSERT_EQ(::flock(used.get(), LOCK_SH), 0);
    const auto opened = open();
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().text.find("the queue in " + (base_ / "deferred").string() + " is in use"),
              std::string::npos)
        << opened.error().text;
  }
  EXPECT_TRUE(open());
}

TEST_F(InstanceFoldersTest, of_the_queue_stay_locked_as_long_as_spool_has_them) {
  auto opened = open();
  ASSERT_TRUE(opened) << opened.error().text;
  UniqueFd passed(::dup(opened->descriptor(Place::spool)));
  {
    const auto gone = std::move(*opened);
  }
  const UniqueFd other(::open((base_ / "state/spool").c_str(), O_RDONLY | O_DIRECTORY));
  EXPECT_NE(::flock(other.get(), LOCK_SH | LOCK_NB), 0);
  passed.reset();
  EXPECT_EQ(::flock(other.get(), LOCK_SH | LOCK_NB), 0);
}

TEST_F(InstanceFoldersTest, do_not_follow_a_link_that_stands_in_their_place) {
  fs::create_directory(base_ / "elsewhere");
  fs::create_directory_symlink(base_ / "elsewhere", base_ / "mail");
  const auto before = fs::status(base_ / "elsewhere").permissions();
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().text.find((base_ / "mail").string()), std::string::npos) << opened.error().text;
  EXPECT_EQ(fs::status(base_ / "elsewhere").permissions(), before);
  EXPECT_EQ(owner(base_ / "elsewhere"), ::geteuid());
}

TEST_F(InstanceFoldersTest, of_somebody_else_are_refused) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  fs::create_directory(base_ / "mail");
  ASSERT_EQ(::chown((base_ / "mail").c_str(), 72'000, 72'000), 0);
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().text.find("belongs to uid 72000"), std::string::npos) << opened.error().text;
  EXPECT_EQ(owner(base_ / "mail"), 72'000U);
}

TEST_F(InstanceFoldersTest, of_root_are_taken_while_they_are_empty_only) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  fs::create_directory(base_ / "mail");
  fs::create_directory(base_ / "mail/lost+found");  // of a file system of its own
  ASSERT_TRUE(open());
  EXPECT_NE(owner(base_ / "mail"), 0U);

  fs::remove_all(base_ / "mail");
  fs::create_directory(base_ / "mail");
  std::ofstream(base_ / "mail/precious") << "x";
  EXPECT_FALSE(open());
  EXPECT_EQ(owner(base_ / "mail"), 0U);
}

}  // namespace
}  // namespace sternpost

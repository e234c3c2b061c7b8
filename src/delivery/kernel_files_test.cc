#include "delivery/kernel_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/unique_fd.h"
#include "delivery/deliverer.h"

namespace sternpost::delivery {
namespace {

namespace fs = std::filesystem;

class KernelFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "maildirXXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root = name;
    root_fd.reset(::open(name.c_str(), O_RDONLY | O_DIRECTORY));
  }
  void TearDown() override { fs::remove_all(root); }

  DeliveryResult deliver(const std::string& folder, std::uint64_t id = 1) {
    Deliverer deliverer(files, root_fd.get(), "mx");
    mail::ContentInMemory content("A: b\r\n\r\nbody\r\n");
    const Delivery one{.folder = folder,
                       .id = QueueId{id},
                       .arrival = wall_now(),
                       .reverse_path = std::nullopt,
                       .recipient = 0,
                       .address = *mail::Mailbox::from_wire("ann@example.org"),
                       .content = &content};
    return deliverer.deliver({&one, 1}).front();
  }

  KernelFiles files;
  fs::path root;
  UniqueFd root_fd;
};

TEST_F(KernelFilesTest, AMessageArrivesInAFreshMaildirThatOnlyItsOwnerReads) {
  const auto result = deliver("example.org/ann");
  ASSERT_EQ(result.disposition, mail::Disposition::delivered) << to_string(result.reply);
  const auto file = root / "example.org/ann/new" / result.file;
  std::ostringstream content;
  content << std::ifstream(file, std::ios::binary).rdbuf();
  EXPECT_EQ(content.str(), "Return-Path: <>\nDelivered-To: ann@example.org\nA: b\n\nbody\n");
  struct stat status{};
  ASSERT_EQ(::stat((root / "example.org").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(KernelFilesTest, ASymbolicLinkIsNeverFollowed) {
  fs::create_directory(root / "elsewhere");
  fs::create_symlink(root / "elsewhere", root / "ann");
  const auto result = deliver("ann");
  EXPECT_EQ(result.disposition, mail::Disposition::deferred);
  EXPECT_EQ(result.reply.text, "opening the mailbox: a symbolic link or a file is where a folder should be");
  EXPECT_TRUE(fs::is_empty(root / "elsewhere"));
}

TEST_F(KernelFilesTest, FlagsBehindTheNameAreFoundAndLongerNamesAreNot) {
  fs::create_directory(root / "cur");
  const auto cur = *files.open_directory(root_fd.get(), "cur");
  std::ofstream(root / "cur/name.x:2,RS");
  std::ofstream(root / "cur/other.xy");
  EXPECT_TRUE(*files.has_flagged(cur, "name.x"));
  EXPECT_TRUE(*files.has_flagged(cur, "name.x"));
  EXPECT_FALSE(*files.has_flagged(cur, "other.x"));
  EXPECT_FALSE(*files.exists(cur, "name.x"));
  files.close(cur);
}

TEST_F(KernelFilesTest, ErrorsCarryTheirErrno) {
  EXPECT_EQ(files.open_directory(root_fd.get(), "missing").error().value, ENOENT);
  ASSERT_TRUE(files.make_directory(root_fd.get(), "d"));
  EXPECT_EQ(files.make_directory(root_fd.get(), "d").error().value, EEXIST);
  EXPECT_EQ(files.remove(root_fd.get(), "missing").error().value, ENOENT);
  EXPECT_EQ(files.sync(-1).error().value, EBADF);
}

}  // namespace
}  // namespace sternpost::delivery

#include "spool/posix_disk.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>

namespace sternpost::spool {
namespace {

TEST(posix_disk, writes_more_pieces_than_one_call_takes) {
  char name[] = "/tmp/sternpost-disk-XXXXXX";
  const std::filesystem::path folder = ::mkdtemp(name);
  PosixDisk disk{UniqueFd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY))};
  auto file = disk.open("file");
  ASSERT_TRUE(file) << file.error().text;
  std::vector<std::string> texts;
  for (int i = 0; i < 3000; ++i) texts.push_back(std::to_string(i));
  texts.insert(texts.begin() + 7, "");
  const std::vector<std::string_view> pieces(texts.begin(), texts.end());
  ASSERT_TRUE((*file)->write_pieces(10, pieces));
  const auto expected = join(pieces);
  std::string found(expected.size() + 1, '\0');
  EXPECT_EQ((*file)->read(10, found), expected.size());
  found.pop_back();
  EXPECT_EQ(found, expected);
  std::filesystem::remove_all(folder);
}

TEST(posix_disk, goes_on_behind_a_short_write_and_says_what_stops_it) {
  char name[] = "/tmp/sternpost-disk-XXXXXX";
  const std::filesystem::path folder = ::mkdtemp(name);
  PosixDisk disk{UniqueFd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY))};
  auto file = disk.open("file");
  ASSERT_TRUE(file) << file.error().text;
  // The kernel writes what fits below the limit, and refuses the next call.
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{6000, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  const auto written = (*file)->write(0, std::string(8192, 'x'));
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(written) << "a part of it is not all of it";
  EXPECT_EQ(written.error().errno_value, EFBIG);
  EXPECT_EQ((*file)->size(), 6000U);
  std::filesystem::remove_all(folder);
}

TEST(posix_disk, reopens_its_folder_as_an_open_file_of_its_own) {
  char name[] = "/tmp/sternpost-disk-XXXXXX";
  const std::filesystem::path folder = ::mkdtemp(name);
  const int first = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY);
  PosixDisk disk{UniqueFd(first)};
  auto again = disk.reopened();
  ASSERT_TRUE(again) << again.error().text;
  ASSERT_TRUE(again->create("file") && again->sync_directory());
  EXPECT_EQ(disk.list(), std::vector<std::string>{"file"});
  ASSERT_EQ(::flock(first, LOCK_EX), 0);  // a lock is of an open file, however many descriptors it has
  int others = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    if (std::filesystem::read_symlink(entry.path(), error) != folder) continue;
    const int descriptor = std::stoi(entry.path().filename().string());
    if (descriptor != first && ::flock(descriptor, LOCK_EX | LOCK_NB) != 0) ++others;
  }
  EXPECT_EQ(others, 1);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace sternpost::spool

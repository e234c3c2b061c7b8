#include "spool/posix_disk.h"

#include <fcntl.h>
#include <gtest/gtest.h>
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

}  // namespace
}  // namespace sternpost::spool

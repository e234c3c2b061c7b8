#include "spool/posix_disk.h"

#include <fcntl.h>
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace sternpost::spool

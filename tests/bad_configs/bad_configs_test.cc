// Refused configurations, one folder each: sternpost.toml, and the messages that it must cause in
// expected.txt.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "config/load.h"

namespace sternpost::config {
namespace {

std::vector<std::string> folders() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(BAD_CONFIGS)) {
    if (entry.is_directory()) names.push_back(entry.path().filename());
  }
  std::ranges::sort(names);
  return names;
}

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

class BadConfig : public testing::TestWithParam<std::string> {};

TEST_P(BadConfig, IsRefusedWithTheExpectedMessages) {
  const auto folder = std::filesystem::path(BAD_CONFIGS) / GetParam();
  const auto text = read(folder / "sternpost.toml");
  const auto values = load({text, "sternpost.toml", ""});
  ASSERT_FALSE(values) << "was accepted";
  std::string messages;
  for (const auto& line : values.error()) messages += line + "\n";
  EXPECT_EQ(messages, read(folder / "expected.txt"));
}

INSTANTIATE_TEST_SUITE_P(Folder, BadConfig, testing::ValuesIn(folders()),
                         [](const auto& param_info) { return param_info.param; });

TEST(BadConfigs, AreAllThere) {
  EXPECT_GE(folders().size(), 50U);
}

}  // namespace
}  // namespace sternpost::config

#include "delivery/content.h"

#include <gtest/gtest.h>

#include <random>

#include "delivery/simulated_files.h"

namespace sternpost::delivery {
namespace {

std::string converted(std::string_view content) {
  std::string out;
  append_with_local_line_ends(content, out);
  return out;
}

TEST(Content, EveryCrLfBecomesLfAndNothingElseChanges) {
  EXPECT_EQ(converted("a\r\nb\r\n"), "a\nb\n");
  EXPECT_EQ(converted("a\rb\nc\r"), "a\rb\nc\r");
  EXPECT_EQ(converted("\r\r\n\r\n\n"), "\r\n\n\n");
  EXPECT_EQ(converted(std::string_view("\0\r\n\xFF", 4)), std::string("\0\n\xFF", 3));
  EXPECT_EQ(converted(""), "");
}

TEST(Content, ALongMessageIsWrittenInPiecesAsIfInOne) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 200; ++round) {
    const std::string_view alphabet = "\r\n\r\nab";
    std::string content(kWriteBytes - 5 + random() % (2 * kWriteBytes), 'x');
    for (auto at = kWriteBytes - 6; at < content.size() && at < kWriteBytes + 6; ++at) {
      content[at] = alphabet[random() % alphabet.size()];
    }
    SimulatedFiles files;
    const auto file = *files.create(SimulatedFiles::kRoot, "f");
    std::string buffer;
    ASSERT_TRUE(write_message(files, file, "P: x\r\n", content, buffer));
    ASSERT_TRUE(files.at("f")->bytes == "P: x\r\n" + converted(content)) << "round " << round;
  }
}

TEST(Content, ASmallMessageIsOneWrite) {
  SimulatedFiles files;
  const auto file = *files.create(SimulatedFiles::kRoot, "f");
  files.log.clear();
  std::string buffer;
  ASSERT_TRUE(write_message(files, file, "P: x\n", "body\r\n", buffer));
  EXPECT_EQ(files.calls(), 1U);
}

}  // namespace
}  // namespace sternpost::delivery

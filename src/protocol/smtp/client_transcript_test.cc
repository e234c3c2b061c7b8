#include "protocol/smtp/client_transcript.h"

#include <gtest/gtest.h>

#include <string>

namespace sternpost::smtp {
namespace {

TEST(transcript, has_commands_and_replies_in_order) {
  Transcript transcript;
  transcript.command("EHLO client");
  transcript.reply(250, "mx\nSIZE\n");
  transcript.command("QUIT");
  EXPECT_EQ(transcript.lines(),
            (std::vector<std::string>{"C: EHLO client", "S: 250-mx", "S: 250 SIZE", "C: QUIT"}));
  transcript.clear();
  EXPECT_TRUE(transcript.lines().empty());
}

TEST(transcript, is_printable_and_bounded) {
  Transcript transcript;
  transcript.reply(250, "a\x1b\xff\n");
  transcript.reply(250, std::string(5000, 'x') + "\n");
  for (int i = 0; i < 1000; ++i) transcript.command(std::to_string(i));
  const auto lines = transcript.lines();
  ASSERT_EQ(lines.size(), Transcript::kFirstLines + Transcript::kLastLines + 1);
  EXPECT_EQ(lines[0], "S: 250 a??");
  EXPECT_EQ(lines[1], "S: 250 " + std::string(Transcript::kMaxLine - 7, 'x'));
  EXPECT_EQ(lines[11], "C: 9");
  EXPECT_EQ(lines[12], "(963 lines left out)");
  EXPECT_EQ(lines[13], "C: 973");
  EXPECT_EQ(lines.back(), "C: 999");
}

}  // namespace
}  // namespace sternpost::smtp

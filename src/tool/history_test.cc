#include "tool/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "runtime/record_text.h"

namespace sternpost::tool {
namespace {

using testing::ElementsAre;

class HistoryTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "history-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    state_ = name;
    std::filesystem::create_directory(state_ / "log");
  }
  void TearDown() override { std::filesystem::remove_all(state_); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(state_ / "log" / name, std::ios::binary) << text;
  }

  [[nodiscard]] std::vector<std::string> lines() const {
    const auto history = History::open(state_.string());
    EXPECT_TRUE(history);
    std::vector<std::string> all;
    if (history) EXPECT_TRUE(history->for_each_line([&](const std::string& line) { all.push_back(line); }));
    return all;
  }

  std::filesystem::path state_;
};

TEST_F(HistoryTest, IsReadFromTheOldestFileToTheNewest) {
  write("history.jsonl", "5\n");
  write("history.jsonl.1", "3\n4\n");
  write("history.jsonl.2", "1\n2\n");
  EXPECT_THAT(lines(), ElementsAre("1", "2", "3", "4", "5"));
}

TEST_F(HistoryTest, IsReadWhereTheNewestFileIsJustBeingMade) {
  write("history.jsonl.1", "1\n");
  EXPECT_THAT(lines(), ElementsAre("1"));
}

TEST_F(HistoryTest, LeavesOutALineThatIsBeingWritten) {
  write("history.jsonl", "1\n2");
  EXPECT_THAT(lines(), ElementsAre("1"));
}

TEST_F(HistoryTest, PassesOverLinesBeyondTheBound) {
  const std::string longest(kMaxRecordLine, 'x');
  write("history.jsonl", "1\n" + longest + "\n" + longest + "x\n2\n");
  EXPECT_THAT(lines(), ElementsAre("1", longest, "2"));
}

TEST_F(HistoryTest, ReadsAFileOnceThatARotationShowsTwice) {
  write("history.jsonl", "1\n");
  std::filesystem::create_hard_link(state_ / "log/history.jsonl", state_ / "log/history.jsonl.1");
  EXPECT_THAT(lines(), ElementsAre("1"));
}

TEST_F(HistoryTest, IsEmptyBeforeTheFirstRecord) {
  EXPECT_THAT(lines(), ElementsAre());
}

TEST_F(HistoryTest, SaysWhereThereIsNone) {
  std::filesystem::remove(state_ / "log");
  const auto history = History::open(state_.string());
  ASSERT_FALSE(history);
  EXPECT_NE(history.error().text.find(state_.string()), std::string::npos);
}

}  // namespace
}  // namespace sternpost::tool

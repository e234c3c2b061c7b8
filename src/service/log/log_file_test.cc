#include "service/log/log_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace sternpost::logging {
namespace {

class LogFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "log-file-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
    folder_.reset(::open(name.c_str(), O_DIRECTORY | O_PATH | O_CLOEXEC));
  }
  void TearDown() override { std::filesystem::remove_all(path_); }

  [[nodiscard]] std::string read(const std::string& name) const {
    std::ifstream file(path_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  [[nodiscard]] bool exists(const std::string& name) const { return std::filesystem::exists(path_ / name); }

  std::filesystem::path path_;
  UniqueFd folder_;
};

TEST_F(LogFileTest, WritesWhatWasGathered) {
  LogFile file(folder_.get(), "x", {1'000, 2});
  EXPECT_TRUE(file.append("one\n"));
  EXPECT_TRUE(file.append("two\n"));
  EXPECT_FALSE(exists("x"));
  EXPECT_TRUE(file.flush());
  EXPECT_EQ(read("x"), "one\ntwo\n");
  EXPECT_EQ(file.pending(), 0U);
}

TEST_F(LogFileTest, RotatesWhenItIsFullAndKeepsTheNewest) {
  LogFile file(folder_.get(), "x", {4, 2});
  for (const auto* line : {"one\n", "two\n", "three\n", "four\n"}) {
    ASSERT_TRUE(file.append(line));
    ASSERT_TRUE(file.flush());
  }
  EXPECT_EQ(read("x"), "four\n");
  EXPECT_EQ(read("x.1"), "three\n");
  EXPECT_EQ(read("x.2"), "two\n");
  EXPECT_FALSE(exists("x.3"));
}

TEST_F(LogFileTest, RemovesFilesBeyondANumberThatWasLowered) {
  LogFile file(folder_.get(), "x", {4, 4});
  for (int i = 0; i < 6; ++i) {
    file.append("line\n");
    ASSERT_TRUE(file.flush());
  }
  EXPECT_TRUE(exists("x.4"));
  file.set_limits({4, 1});
  file.append("line\n");
  ASSERT_TRUE(file.flush());
  EXPECT_TRUE(exists("x.1"));
  EXPECT_FALSE(exists("x.2"));
  EXPECT_FALSE(exists("x.4"));
}

TEST_F(LogFileTest, ContinuesTheFileOfTheProcessBefore) {
  LogFile(folder_.get(), "x", {1'000, 1}).flush().value();
  for (const auto* line : {"one\n", "two\n"}) {
    LogFile file(folder_.get(), "x", {1'000, 1});
    file.append(line);
    ASSERT_TRUE(file.flush());
  }
  EXPECT_EQ(read("x"), "one\ntwo\n");
}

TEST_F(LogFileTest, BeginsANewLineAfterOneThatACrashCutShort) {
  std::ofstream(path_ / "x") << "one\ntw";
  LogFile file(folder_.get(), "x", {1'000, 1});
  file.append("three\n");
  ASSERT_TRUE(file.flush());
  EXPECT_EQ(read("x"), "one\ntw\nthree\n");
}

TEST_F(LogFileTest, DropsLinesBeyondTheBound) {
  LogFile file(folder_.get(), "x", {1'000, 1});
  EXPECT_TRUE(file.append(std::string(LogFile::kMaxPending, 'x')));
  EXPECT_FALSE(file.append("y"));
  ASSERT_TRUE(file.flush());
  EXPECT_TRUE(file.append("y\n"));
}

TEST_F(LogFileTest, DoesNotFollowALinkThatSomeonePut) {
  std::filesystem::create_symlink("/dev/null", path_ / "x");
  LogFile file(folder_.get(), "x", {1'000, 1});
  file.append("line\n");
  EXPECT_FALSE(file.flush());
  EXPECT_EQ(file.pending(), 5U);
}

/// A limit of the size of files behaves as a full disk does: a short write, then an error.
class FullDisk {
 public:
  explicit FullDisk(rlim_t octets) {
    std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{octets, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(LogFileTest, KeepsWhatAFullDiskDoesNotTakeAndWritesItLater) {
  LogFile file(folder_.get(), "x", {4, 3});
  file.append("one\ntwo\n");
  {
    const FullDisk full(6);
    EXPECT_FALSE(file.flush());
    EXPECT_EQ(file.pending(), 2U);
    EXPECT_FALSE(file.flush());
  }
  // The rest of a line goes where its beginning is, although the file is due for rotation.
  ASSERT_TRUE(file.flush());
  EXPECT_EQ(read("x"), "one\ntwo\n");
  file.append("three\n");
  ASSERT_TRUE(file.flush());
  EXPECT_EQ(read("x"), "three\n");
  EXPECT_EQ(read("x.1"), "one\ntwo\n");
}

}  // namespace
}  // namespace sternpost::logging

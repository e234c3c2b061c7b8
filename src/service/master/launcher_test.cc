#include "service/master/launcher.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>

namespace sternpost {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// A folder of its own, and listening sockets in it.
class LauncherTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "launcherXXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
    auto made = Launcher::make("/nowhere");
    ASSERT_TRUE(made);
    launcher = std::move(*made);
  }
  void TearDown() override { fs::remove_all(folder); }

  /// The path may be as long as the kernel takes it.
  static UniqueFd listen_at(const std::string& path, int backlog = 10) {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path));
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(::listen(fd.get(), backlog), 0);
    return fd;
  }

  [[nodiscard]] std::string refusal(const std::string& path) const {
    const auto socket = launcher.connect_socket(path);
    return socket ? "connected" : socket.error().text;
  }

  fs::path folder;
  Launcher launcher;
};

TEST_F(LauncherTest, ConnectsToASocketAndStaysWhereItIs) {
  const auto path = (folder / "lmtp").string();
  const auto listener = listen_at(path);
  const auto before = fs::current_path();
  const auto socket = launcher.connect_socket(path);
  ASSERT_TRUE(socket) << socket.error().text;
  EXPECT_EQ(fs::current_path(), before);
  const UniqueFd accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  ASSERT_TRUE(accepted);
  ASSERT_EQ(::send(socket->get(), "hello", 5, MSG_NOSIGNAL), 5);
  std::array<char, 5> got{};
  ASSERT_EQ(::recv(accepted.get(), got.data(), got.size(), MSG_WAITALL), 5);
  EXPECT_EQ(std::string_view(got.data(), got.size()), "hello");
  EXPECT_NE(::fcntl(socket->get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(LauncherTest, ConnectsToTheLongestPathThatARouteMayName) {
  constexpr std::size_t kLongest = 107;
  auto path = folder.string() + "/";
  path += std::string(kLongest - path.size(), 'x');
  const auto listener = listen_at(path);
  EXPECT_EQ(refusal(path), "connected");
}

TEST_F(LauncherTest, RefusesWhatIsNoPathOfASocket) {
  EXPECT_THAT(refusal("run/lmtp"), HasSubstr("is not the path of a socket"));
  EXPECT_THAT(refusal(""), HasSubstr("is not the path of a socket"));
  EXPECT_THAT(refusal("//"), HasSubstr("is not the path of a socket"));
  EXPECT_THAT(refusal("/" + std::string(108, 'x')), HasSubstr("too long"));
}

TEST_F(LauncherTest, SaysWhyASocketCannotBeConnected) {
  EXPECT_THAT(refusal((folder / "missing").string()), HasSubstr("No such file or directory"));
  const auto path = (folder / "left").string();
  listen_at(path).reset();
  EXPECT_THAT(refusal(path), HasSubstr("Connection refused"));
}

TEST_F(LauncherTest, DoesNotWaitForASocketWhoseQueueIsFull) {
  const auto path = (folder / "full").string();
  const auto listener = listen_at(path, 0);
  std::vector<UniqueFd> connected;
  std::string why;
  while (why.empty() && connected.size() < 10) {
    auto socket = launcher.connect_socket(path);
    if (socket) {
      connected.push_back(std::move(*socket));
    } else {
      why = socket.error().text;
    }
  }
  EXPECT_THAT(why, HasSubstr("Resource temporarily unavailable"));
}

TEST_F(LauncherTest, FindsSocketsFromWithinMastersOwnEmptyRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may change its root directory";
  const auto path = (folder / "lmtp").string();
  const auto listener = listen_at(path);
  const auto empty = folder / "empty";
  ASSERT_TRUE(fs::create_directory(empty));
  const UniqueFd root(::open(empty.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // As confine_master does, but for the system calls that would end a test with sanitizers.
    if (::fchdir(root.get()) != 0 || ::chroot(".") != 0) ::_exit(2);
    if (::access(path.c_str(), F_OK) == 0) ::_exit(3);
    if (!launcher.connect_socket(path)) ::_exit(4);
    if (::access("/tmp", F_OK) == 0) ::_exit(5);
    ::_exit(::access("empty", F_OK) == 0 ? 6 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace sternpost

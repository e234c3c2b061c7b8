#include "tool/control_client.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <thread>

#include "base/codec.h"

namespace sternpost::tool {
namespace {

constexpr std::uint64_t kFingerprint = fingerprint<admin::Request>() ^ fingerprint<admin::Reply>();

/// An instance's control socket, served by a thread that runs `serve` on the first connection.
class FakeInstance {
 public:
  explicit FakeInstance(std::function<void(int)> serve) {
    std::string name = testing::TempDir() + "control-XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    state_ = name;
    std::filesystem::create_directory(state_ / "run");
    listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (state_ / "run/control").string().copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    thread_ = std::thread([this, serve = std::move(serve)] {
      const UniqueFd connection(::accept(listener_.get(), nullptr, nullptr));
      serve(connection.get());
    });
  }
  ~FakeInstance() {
    thread_.join();
    std::filesystem::remove_all(state_);
  }

  [[nodiscard]] std::string state() const { return state_.string(); }

 private:
  std::filesystem::path state_;
  UniqueFd listener_;
  std::thread thread_;
};

void put(int fd, const std::string& bytes) {
  EXPECT_EQ(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}

std::string take(int fd, std::size_t size) {
  std::string bytes(size, '\0');
  EXPECT_EQ(::recv(fd, bytes.data(), size, MSG_WAITALL), static_cast<ssize_t>(size));
  return bytes;
}

/// Greets, reads one request and answers it.
void answer_once(int fd, const admin::Reply& reply) {
  put(fd, encode(kFingerprint));
  EXPECT_EQ(decode<std::uint64_t>(take(fd, 8)), kFingerprint);
  const auto size = decode<std::uint32_t>(take(fd, 4));
  ASSERT_TRUE(size);
  EXPECT_TRUE(decode<admin::Request>(take(fd, *size)));
  const auto frame = encode(reply);
  put(fd, encode(static_cast<std::uint32_t>(frame.size())) + frame);
}

TEST(ControlClient, AsksAndIsAnswered) {
  const FakeInstance instance([](int fd) {
    spool_admin::Acted acted;
    acted.refused = "no such message";
    answer_once(fd, acted);
  });
  auto client = ControlClient::connect(instance.state());
  ASSERT_TRUE(client) << client.error().text;
  const auto answer =
      client->ask<spool_admin::Acted>(spool_admin::Act{0, QueueId{1}, spool_admin::Action::hold});
  ASSERT_TRUE(answer) << answer.error().text;
  EXPECT_EQ(answer->refused, "no such message");
}

TEST(ControlClient, TellsWhyARequestIsRefused) {
  const FakeInstance instance([](int fd) { answer_once(fd, admin::Done{"spool is away"}); });
  auto client = ControlClient::connect(instance.state());
  ASSERT_TRUE(client);
  const auto answer = client->ask<spool_admin::Listed>(spool_admin::List{0, 0, 10});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().text, "spool is away");
  EXPECT_EQ(answer.error().status, ExitStatus::failed);
}

TEST(ControlClient, RefusesAnAnswerToAnotherQuestion) {
  const FakeInstance instance([](int fd) { answer_once(fd, admin::StatusReply{}); });
  auto client = ControlClient::connect(instance.state());
  ASSERT_TRUE(client);
  EXPECT_FALSE(client->ask<spool_admin::Listed>(spool_admin::List{0, 0, 10}));
}

TEST(ControlClient, RefusesAnInstanceOfAnotherVersion) {
  const FakeInstance instance([](int fd) { put(fd, encode(kFingerprint + 1)); });
  const auto client = ControlClient::connect(instance.state());
  ASSERT_FALSE(client);
  EXPECT_NE(client.error().text.find("version"), std::string::npos);
}

TEST(ControlClient, NoticesThatTheInstanceTurnsItAway) {
  const FakeInstance instance([](int) {});
  const auto client = ControlClient::connect(instance.state());
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().status, ExitStatus::failed);
}

TEST(ControlClient, RefusesFramesBeyondTheBoundAndMalformedOnes) {
  for (const auto& bytes : {encode(static_cast<std::uint32_t>(admin::kMaxFrame + 1)),
                            encode(std::uint32_t{0}), encode(std::uint32_t{3}) + "\xff\xff\xff"}) {
    const FakeInstance instance([&](int fd) {
      put(fd, encode(kFingerprint));
      take(fd, 8);
      put(fd, bytes);
      take(fd, 4);
    });
    auto client = ControlClient::connect(instance.state());
    ASSERT_TRUE(client);
    const auto answer = client->ask<admin::Done>(admin::Run{admin::Command::reload});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().text, "the instance sent a malformed answer");
  }
}

TEST(ControlClient, SaysWhenNothingRuns) {
  const auto client = ControlClient::connect(testing::TempDir() + "nothing-here");
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().status, ExitStatus::not_running);
}

TEST(ControlClient, RefusesAPathThatIsTooLongForASocket) {
  const auto client = ControlClient::connect("/" + std::string(200, 'x'));
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().status, ExitStatus::usage);
}

}  // namespace
}  // namespace sternpost::tool

#include "tool/control_client.h"

#include <gtest/gtest.h>

#include "base/codec.h"
#include "tool/fake_instance.h"

namespace sternpost::tool {
namespace {

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

#include "service/router/router_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>

#include "config/slices.h"

namespace sternpost::router {
namespace {

using testing::SizeIs;

struct NoRecords final : RecordSink {
  void record(Record) override {}
};

struct Closed {
  Compartment row = Compartment::master;
  ErrorClass why = ErrorClass::internal;
  bool last = false;
  bool operator==(const Closed&) const = default;
};

/// The service, with the test as smtpd, qmgr and users.
class RouterServiceTest : public testing::Test {
 protected:
  using IntakeEnd = Channel<ToIntake, FromIntake>;
  using QmgrEnd = Channel<ToQmgr, FromQmgr>;
  using UsersEnd = Channel<users::ToUsers, users::FromUsers>;

  void SetUp() override {
    config::RouterSlice slice;
    slice.hostname = "mx.example.org";
    slice.domains = {"example.org"};
    slice.extension_delimiter = "+";
    auto made = RouterService::make(
        {.loop = loop,
         .instance = 0,
         .slice = encode(slice),
         .initial_peers = 0,
         .records = records,
         .traffic = traffic,
         .exit = [this] { exited = true; },
         .channel_closed = [this](Compartment row, const Error& why,
                                  bool last) { closed.push_back({row, why.what_to_do, last}); }});
    ASSERT_TRUE(made);
    service = std::move(*made);
    intake = connect<IntakeEnd>(Compartment::smtpd, to_intake);
  }

  template <class End, class Frames>
  std::unique_ptr<End> connect(Compartment row, Frames& frames) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    const auto bound = row == Compartment::users ? users::kMaxFrame : kMaxFrame;
    auto end =
        std::make_unique<End>(loop, UniqueFd(ends[0]), FrameLimits{.max_frame = bound}, traffic,
                              typename End::Handlers{.on_frame = [&frames](auto&& frame) -> Result<void> {
                                                       frames.push_back(std::move(frame));
                                                       return {};
                                                     },
                                                     .on_closed = [](const Error&) {}});
    service->peer(row, 0, UniqueFd(ends[1]));
    return end;
  }

  void run() {
    while (loop.poll_one() > 0) {
    }
    loop.restart();
  }

  void verify(std::uint64_t request, std::string_view recipient) {
    intake->send(Verify{request, "192.0.2.1", std::nullopt, *mail::Mailbox::from_wire(recipient)});
    run();
  }

  boost::asio::io_context loop;
  TrafficCounters traffic;
  NoRecords records;
  std::vector<Closed> closed;
  bool exited = false;
  std::unique_ptr<Service> service;
  std::unique_ptr<IntakeEnd> intake;
  std::vector<ToIntake> to_intake;
  std::vector<ToQmgr> to_qmgr;
  std::vector<users::ToUsers> to_users;
};

TEST_F(RouterServiceTest, AQuestionWaitsForAUsersChannelAndIsAnsweredOnce) {
  verify(1, "ann+x@example.org");
  verify(2, "ann@example.org");
  verify(3, "ann@elsewhere.example");
  ASSERT_THAT(to_intake, SizeIs(1));
  EXPECT_EQ(std::get<Verdict>(to_intake[0]).request, 3U);
  auto users_end = connect<UsersEnd>(Compartment::users, to_users);
  run();
  ASSERT_THAT(to_users, SizeIs(1));
  const auto lookup = std::get<users::Lookup>(to_users[0]);
  EXPECT_EQ(lookup.name, "ann");
  users_end->send(users::Found{lookup.request, users::Answer::found, 1000, {1000}, "/home/ann"});
  run();
  ASSERT_THAT(to_intake, SizeIs(3));
  EXPECT_EQ(std::get<Verdict>(to_intake[1]).reply.code, 250);
}

TEST_F(RouterServiceTest, LookupsThatABrokenUsersChannelOwesAreAskedAgain) {
  auto first = connect<UsersEnd>(Compartment::users, to_users);
  verify(1, "ann@example.org");
  ASSERT_THAT(to_users, SizeIs(1));
  to_users.clear();
  auto second = connect<UsersEnd>(Compartment::users, to_users);
  run();
  ASSERT_THAT(to_users, SizeIs(1));
  const auto lookup = std::get<users::Lookup>(to_users[0]);
  second->send(users::Found{lookup.request, users::Answer::unknown, 0, {}, ""});
  run();
  ASSERT_THAT(to_intake, SizeIs(1));
  EXPECT_EQ(std::get<Verdict>(to_intake[0]).reply.code, 550);
}

TEST_F(RouterServiceTest, AnAnswerToNoQuestionIsAViolation) {
  auto users_end = connect<UsersEnd>(Compartment::users, to_users);
  users_end->send(users::Found{77, users::Answer::found, 1000, {}, ""});
  run();
  EXPECT_EQ(closed, (std::vector<Closed>{{Compartment::users, ErrorClass::peer, true}}));
}

TEST_F(RouterServiceTest, OnlyTheEndOfTheChannelToUsersIsALoss) {
  auto qmgr = connect<QmgrEnd>(Compartment::qmgr, to_qmgr);
  qmgr.reset();
  run();
  EXPECT_EQ(closed, (std::vector<Closed>{{Compartment::qmgr, ErrorClass::temporary, false}}));
}

TEST_F(RouterServiceTest, ARouteIsAnsweredWhenAllItsRecipientsAreInBoundedFrames) {
  auto qmgr = connect<QmgrEnd>(Compartment::qmgr, to_qmgr);
  auto users_end = connect<UsersEnd>(Compartment::users, to_users);
  Route route{QueueId{7}, {}};
  for (std::uint32_t i = 0; i < 1000; ++i) {
    route.recipients.push_back({i, *mail::Mailbox::from_wire(i % 2 == 0 ? "postmaster" : "ann@example.org")});
  }
  qmgr->send(route);
  run();
  EXPECT_THAT(to_qmgr, SizeIs(0));
  ASSERT_THAT(to_users, SizeIs(1));
  users_end->send(
      users::Found{std::get<users::Lookup>(to_users[0]).request, users::Answer::unknown, 0, {}, ""});
  run();
  std::size_t answered = 0;
  for (const auto& frame : to_qmgr) {
    for (const auto& recipient : std::get<Routed>(frame).recipients) {
      EXPECT_EQ(recipient.reply.code, recipient.index % 2 == 0 ? 250 : 550);
      ++answered;
    }
  }
  EXPECT_EQ(answered, 1000U);
}

TEST_F(RouterServiceTest, AnIntakeThatLeftIsNotAnswered) {
  verify(1, "ann@example.org");
  intake.reset();
  run();
  auto users_end = connect<UsersEnd>(Compartment::users, to_users);
  run();
  users_end->send(
      users::Found{std::get<users::Lookup>(to_users.at(0)).request, users::Answer::found, 1, {}, ""});
  run();
  service->drain(true);
  EXPECT_TRUE(exited);
}

}  // namespace
}  // namespace sternpost::router

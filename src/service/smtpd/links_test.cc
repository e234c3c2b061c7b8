// The links to router and spool: leases, deadlines, and peers that break the protocol.
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "service/smtpd/router_link.h"
#include "service/smtpd/smtpd_test_rig.h"
#include "service/smtpd/spool_link.h"

namespace sternpost::smtpd {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using testing_rig::FakeRouter;
using testing_rig::FakeSpool;
using testing_rig::socket_pair;

/// Lets both ends of all channels read and write, until none has more to do: what is sent is there at once.
void run(boost::asio::io_context& loop) {
  loop.restart();
  while (loop.poll_one() > 0) {
  }
}

class RouterLinkTest : public testing::Test {
 protected:
  std::unique_ptr<FakeRouter> connect() {
    auto [ours, theirs] = socket_pair();
    auto router = std::make_unique<FakeRouter>(loop, std::move(theirs), counters);
    link.connect(std::move(ours));
    return router;
  }
  void ask() {
    link.ask({7, 3, {0, "192.0.2.1", std::nullopt, *mail::Mailbox::from_wire("bob@example.org")}}, now);
  }

  boost::asio::io_context loop;
  TrafficCounters counters;
  SteadyTime now = steady_clock::now();
  std::vector<mail::Reply> answers;
  std::vector<std::string> violations;
  RouterLink link{loop,
                  counters,
                  {[this](const RouterLink::Question& question, const mail::Reply& reply, const Rule&) {
                     EXPECT_EQ(question.session, 7U);
                     EXPECT_EQ(question.engine_request, 3U);
                     answers.push_back(reply);
                   },
                   [this](const Error& why, bool) {
                     if (why.what_to_do == ErrorClass::peer) violations.push_back(why.text);
                   }}};
};

TEST_F(RouterLinkTest, waits_ten_seconds_for_a_router) {
  ask();
  link.sweep(now + 9s);
  EXPECT_TRUE(answers.empty());
  link.sweep(now + 10s);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers.front().code, 451);
  EXPECT_EQ(link.outstanding(), 0U);
}

TEST_F(RouterLinkTest, waits_thirty_seconds_for_a_verdict_and_ignores_it_later) {
  const auto router = connect();
  router->answer_at_once = false;
  ask();
  run(loop);
  ASSERT_EQ(router->questions.size(), 1U);
  link.sweep(now + 29s);
  EXPECT_TRUE(answers.empty());
  link.sweep(now + 30s);
  ASSERT_EQ(answers.size(), 1U);
  router->answer(router->questions.front());
  run(loop);
  EXPECT_EQ(answers.size(), 1U);
}

TEST_F(RouterLinkTest, asks_a_router_that_comes_late) {
  ask();
  const auto router = connect();
  run(loop);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_TRUE(answers.front().positive());
}

TEST_F(RouterLinkTest, closes_a_channel_that_breaks_the_protocol) {
  auto [ours, theirs] = socket_pair();
  link.connect(std::move(ours));
  ask();
  ASSERT_EQ(::send(theirs.get(), "no such protocol", 16, MSG_NOSIGNAL), 16);
  run(loop);
  EXPECT_EQ(violations.size(), 1U);
  const auto router = connect();
  run(loop);
  EXPECT_EQ(answers.size(), 1U);
}

class SpoolLinkTest : public testing::Test {
 protected:
  /// Sends as much of a message as its window holds.
  void fill_window(const LeasedId& id) {
    const spool_intake::Piece piece{id.id, std::string(spool_intake::kPieceBytes, 'x')};
    for (std::size_t sent = 0; sent < spool_intake::kWindowBytes; sent += piece.bytes.size()) {
      link.send(id, piece);
    }
    run(loop);
  }
  std::unique_ptr<FakeSpool> connect(std::uint64_t first_id) {
    auto [ours, theirs] = socket_pair();
    auto spool = std::make_unique<FakeSpool>(loop, std::move(theirs), counters, first_id);
    link.connect(std::move(ours));
    run(loop);
    return spool;
  }

  boost::asio::io_context loop;
  TrafficCounters counters;
  std::vector<std::uint64_t> committed;
  std::vector<mail::Reply> refused;
  std::vector<std::string> pressures;
  int rooms = 0;  ///< how often there was more room
  std::vector<std::string> violations;
  SpoolLink link{
      loop,
      counters,
      {[this](SpoolLink::Sent&& message) { committed.push_back(message.session); },
       [this](const SpoolLink::Sent&, const mail::Reply& reply, const Rule&) { refused.push_back(reply); },
       [] {}, [this] { ++rooms; },
       [this](const spool_intake::Pressure& pressure) { pressures.push_back(pressure.cause); },
       [this](const Error& why, bool) {
         if (why.what_to_do == ErrorClass::peer) violations.push_back(why.text);
       }}};
};

TEST_F(SpoolLinkTest, tells_of_pressure_by_the_newest_spool) {
  auto first = connect(100);
  auto second = connect(200);
  first->press(queue::PressureLevel::close, "old");
  second->press(queue::PressureLevel::slow, "new");
  run(loop);
  EXPECT_EQ(pressures, std::vector<std::string>{"new"});
}

TEST_F(SpoolLinkTest, keeps_ids_ahead) {
  EXPECT_FALSE(link.take_id());
  const auto spool = connect(1000);
  for (std::uint64_t expected = 1000; expected < 3000; ++expected) {
    const auto id = link.take_id();
    ASSERT_TRUE(id) << expected;
    EXPECT_EQ(id->id.value, expected);
    EXPECT_FALSE(link.lost(*id));
    if (expected % 64 == 0) run(loop);
  }
}

TEST_F(SpoolLinkTest, has_no_use_for_ids_of_a_spool_that_ended) {
  auto spool = connect(1000);
  const auto old = link.take_id();
  spool.reset();
  run(loop);
  EXPECT_TRUE(link.lost(*old));
  EXPECT_FALSE(link.take_id());
  spool = connect(5000);
  EXPECT_EQ(link.take_id()->id.value, 5000U);
}

TEST_F(SpoolLinkTest, answers_each_commit_once) {
  const auto spool = connect(1000);
  spool->commit_at_once = false;
  for (std::uint64_t session = 1; session <= 2; ++session) {
    const auto id = link.take_id();
    link.commit(id->epoch, {id->id, {}, "x", false}, {session, {}});
  }
  run(loop);
  ASSERT_EQ(spool->commits.size(), 2U);
  spool->committed(QueueId{1000});
  spool->committed(QueueId{1000});
  spool->not_committed(QueueId{1001}, {452, {4, 3, 1}, "full"});
  run(loop);
  EXPECT_EQ(committed, (std::vector<std::uint64_t>{1}));
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_EQ(refused.front().text, "full");
  EXPECT_EQ(link.outstanding(), 0U);
}

TEST_F(SpoolLinkTest, waits_thirty_seconds_for_a_new_spool) {
  auto spool = connect(1000);
  spool->commit_at_once = false;
  const auto id = link.take_id();
  link.commit(id->epoch, {id->id, {}, "x", false}, {1, {}});
  run(loop);
  link.sweep(steady_clock::now() + 1h);
  EXPECT_TRUE(refused.empty());
  spool.reset();
  run(loop);
  link.sweep(steady_clock::now() + 29s);
  EXPECT_TRUE(refused.empty());
  link.sweep(steady_clock::now() + 31s);
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_EQ(refused.front().code, 451);
}

TEST_F(SpoolLinkTest, does_not_pass_on_a_refusal_that_is_none) {
  const auto spool = connect(1000);
  spool->commit_at_once = false;
  const auto id = link.take_id();
  link.commit(id->epoch, {id->id, {}, "x", false}, {1, {}});
  run(loop);
  spool->not_committed(id->id, {250, {2, 0, 0}, "Ok"});
  run(loop);
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_EQ(refused.front().code, 451);
}

TEST_F(SpoolLinkTest, tells_of_room_when_spool_took_some_answered_or_is_gone) {
  auto spool = connect(1000);
  spool->take_at_once = spool->commit_at_once = false;
  const auto first = *link.take_id();
  const auto second = *link.take_id();
  fill_window(first);
  fill_window(second);
  EXPECT_FALSE(link.has_room(first));
  EXPECT_EQ(rooms, 0);
  spool->take(first.id, spool_intake::kWindowBytes / 2);
  run(loop);
  EXPECT_EQ(rooms, 1);
  EXPECT_TRUE(link.has_room(first));
  link.commit(first.epoch, {first.id, {}, "x", false}, {1, {}});
  EXPECT_GT(link.on_the_way(), 3 * spool_intake::kWindowBytes / 2);
  spool->committed(first.id);
  run(loop);
  EXPECT_EQ(rooms, 2);
  EXPECT_EQ(link.on_the_way(), spool_intake::kWindowBytes);
  spool.reset();
  run(loop);
  EXPECT_EQ(rooms, 3);
  EXPECT_TRUE(link.has_room(second)) << "what comes is dropped";
  EXPECT_EQ(link.on_the_way(), 0U);
}

TEST_F(SpoolLinkTest, counts_no_commit_twice_whose_spool_is_gone_before_its_answer) {
  auto spool = connect(1000);
  spool->take_at_once = spool->commit_at_once = false;
  const auto id = *link.take_id();
  fill_window(id);
  link.commit(id.epoch, {id.id, {}, "x", false}, {1, {}});
  run(loop);
  spool.reset();
  run(loop);
  EXPECT_EQ(link.on_the_way(), 0U);
  spool = connect(5000);
  spool->state(id.id, true);
  run(loop);
  EXPECT_EQ(committed.size(), 1U);
  EXPECT_EQ(link.on_the_way(), 0U);
}

TEST_F(SpoolLinkTest, gives_a_message_up_of_which_spool_takes_nothing) {
  const auto spool = connect(1000);
  spool->take_at_once = false;
  const auto id = *link.take_id();
  fill_window(id);
  link.sweep(steady_clock::now() + FlowControl::kPatience - 5s);
  EXPECT_FALSE(link.lost(id));
  link.sweep(steady_clock::now() + FlowControl::kPatience);
  ASSERT_TRUE(link.lost(id));
  EXPECT_EQ(link.lost(id)->name, "spool takes no content");
  EXPECT_EQ(rooms, 1);
  EXPECT_TRUE(link.has_room(id));
  link.send(id, {id.id, "more"});
  spool->take(id.id, spool_intake::kWindowBytes);  // too late
  link.abandon(id);
  run(loop);
  EXPECT_EQ(spool->received[id.id], spool_intake::kWindowBytes);
  EXPECT_EQ(spool->abandoned, std::vector<QueueId>{id.id}) << "once: its lease is used up";
  EXPECT_EQ(link.on_the_way(), 0U);
}

TEST_F(SpoolLinkTest, closes_the_channel_of_a_spool_that_takes_what_was_not_sent) {
  const auto spool = connect(1000);
  spool->take_at_once = false;
  const auto id = *link.take_id();
  fill_window(id);
  spool->take(id.id, spool_intake::kWindowBytes + 1);
  run(loop);
  EXPECT_EQ(violations.size(), 1U);
  EXPECT_TRUE(link.lost(id));
  EXPECT_EQ(link.on_the_way(), 0U);
}

TEST_F(SpoolLinkTest, closes_the_channel_of_a_spool_that_leases_too_much) {
  const auto spool = connect(1000);
  spool->lease(spool_intake::kMaxLease + 1);
  run(loop);
  EXPECT_EQ(violations.size(), 1U);
  EXPECT_FALSE(link.take_id());
}

}  // namespace
}  // namespace sternpost::smtpd

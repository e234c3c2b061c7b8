#include "service/qmgr/qmgr_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>

namespace sternpost::qmgr {
namespace {

using testing::SizeIs;

struct Records final : RecordSink {
  void record(Record record) override { made.push_back(std::move(record)); }
  std::vector<Record> made;
};

/// The service, with the test as spool, router and admin.
class QmgrServiceTest : public testing::Test {
 protected:
  using SpoolEnd = Channel<spool_qmgr::ToSpool, spool_qmgr::FromSpool>;
  using RouterEnd = Channel<router::FromQmgr, router::ToQmgr>;
  using AdminEnd = Channel<FromQmgr, ToQmgr>;

  static config::QmgrSlice make_slice() {
    config::QmgrSlice slice;
    slice.max_active_messages = 100;
    slice.site_concurrency = 50;
    slice.retry_min_seconds = 60;
    slice.retry_max_seconds = 600;
    slice.expire_seconds = 86400;
    slice.max_backlog = 1000;
    slice.max_lag_seconds = 600;
    slice.max_memory_bytes = 1UL << 30U;
    return slice;
  }

  void SetUp() override {
    const auto slice = make_slice();
    auto made = QmgrService::make({.loop = loop,
                                   .instance = 0,
                                   .slice = encode(slice),
                                   .initial_peers = 0,
                                   .records = records,
                                   .traffic = traffic,
                                   .exit = [this] { exited = true; }});
    ASSERT_TRUE(made);
    service = std::move(*made);
    spool = connect<SpoolEnd>(Compartment::spool, to_spool);
    router_end = connect<RouterEnd>(Compartment::router, to_router);
    admin = connect<AdminEnd>(Compartment::admin, to_admin);
    run();
  }

  template <class End, class Frames>
  std::unique_ptr<End> connect(Compartment row, Frames& frames) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    auto end = std::make_unique<End>(
        loop, UniqueFd(ends[0]), FrameLimits{.max_frame = spool_qmgr::kMaxFrame}, traffic,
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

  void give(std::uint64_t messages) {
    spool_qmgr::Pulled pulled;
    for (std::uint64_t i = 1; i <= messages; ++i) {
      auto& message = pulled.messages.emplace_back();
      message.id = QueueId{i};
      message.arrival = wall_now();
      message.recipients.push_back({0, *mail::Mailbox::from_wire("ann@example.org"), 0, {}, false});
    }
    pulled.position = messages;
    spool->send(pulled);
    run();
  }

  void route_all() {
    for (const auto& frame : to_router) {
      const auto& question = std::get<router::Route>(frame);
      router_end->send(router::Routed{
          question.id,
          {{0, {250, {2, 1, 5}, "ok"}, spool_qmgr::Agent::virtual_mailbox, "virtual", {"domains", "f", 1}}},
          question.generation});
    }
    to_router.clear();
    run();
  }

  boost::asio::io_context loop;
  TrafficCounters traffic;
  Records records;
  bool exited = false;
  std::unique_ptr<Service> service;
  std::unique_ptr<SpoolEnd> spool;
  std::unique_ptr<RouterEnd> router_end;
  std::unique_ptr<AdminEnd> admin;
  std::vector<spool_qmgr::ToSpool> to_spool;
  std::vector<router::FromQmgr> to_router;
  std::vector<FromQmgr> to_admin;
};

TEST_F(QmgrServiceTest, PullsAsksAndOrdersInOneFrame) {
  ASSERT_THAT(to_spool, SizeIs(1));
  EXPECT_EQ(std::get<spool_qmgr::Pull>(to_spool[0]).after, 0U);
  to_spool.clear();
  give(20);
  ASSERT_THAT(to_router, SizeIs(20));
  to_spool.clear();
  route_all();
  ASSERT_THAT(to_spool, SizeIs(1));
  EXPECT_THAT(std::get<spool_qmgr::Orders>(to_spool[0]).orders, SizeIs(20));
  ASSERT_THAT(records.made, SizeIs(20));
  EXPECT_EQ(records.made[0].decision, Decision::routed);
}

TEST_F(QmgrServiceTest, PullsFromTheStartOnANewSpoolAndAsksAgainOnANewRouter) {
  give(1);
  to_router.clear();
  router_end = connect<RouterEnd>(Compartment::router, to_router);
  run();
  EXPECT_THAT(to_router, SizeIs(1));
  to_spool.clear();
  spool = connect<SpoolEnd>(Compartment::spool, to_spool);
  run();
  ASSERT_THAT(to_spool, SizeIs(1));
  EXPECT_EQ(std::get<spool_qmgr::Pull>(to_spool[0]).after, 0U);
}

TEST_F(QmgrServiceTest, ADeferralIsRecordedWithItsNextAttemptAndCounted) {
  give(1);
  route_all();
  spool->send(spool_qmgr::Recorded{
      {{QueueId{1}, {{0, mail::Disposition::deferred, {452, {4, 2, 2}, "full"}, wall_now()}}}}});
  admin->send(QueryCounts{5});
  run();
  EXPECT_EQ(records.made.back().decision, Decision::deferred);
  EXPECT_TRUE(records.made.back().next);
  admin->send(QueryCounts{6});
  run();
  const auto& counts = std::get<Counts>(to_admin.back());
  EXPECT_EQ(counts.request, 6U);
  EXPECT_EQ(counts.deferred, 1U);
}

TEST_F(QmgrServiceTest, ABacklogIsToldAsPressureAndRecordedWithItsCause) {
  to_spool.clear();
  spool->send(spool_qmgr::Load{.messages = 0, .memory_bytes = 0, .disk_bytes = 0, .max_disk_bytes = 0});
  spool->send(spool_qmgr::Load{.messages = 300, .memory_bytes = 0, .disk_bytes = 0, .max_disk_bytes = 0});
  run();
  ASSERT_THAT(to_spool, SizeIs(1));
  EXPECT_EQ(std::get<spool_qmgr::Pressure>(to_spool[0]).level, queue::PressureLevel::slow);
  spool->send(spool_qmgr::Load{.messages = 1500, .memory_bytes = 0, .disk_bytes = 0, .max_disk_bytes = 0});
  run();
  ASSERT_THAT(to_spool, SizeIs(2));
  const auto& pressure = std::get<spool_qmgr::Pressure>(to_spool[1]);
  EXPECT_EQ(pressure.level, queue::PressureLevel::refuse);
  EXPECT_EQ(pressure.cause, "backlog: 1500 messages wait for their first attempt, 1000 may");
  ASSERT_FALSE(records.made.empty());
  const auto& record = records.made.back();
  EXPECT_EQ(record.decision, Decision::pressure);
  EXPECT_EQ(record.facts.at(0).value, "refuse");
  EXPECT_EQ(record.outcome, pressure.cause);

  to_spool.clear();
  spool = connect<SpoolEnd>(Compartment::spool, to_spool);
  run();
  ASSERT_FALSE(to_spool.empty());
  EXPECT_EQ(std::get<spool_qmgr::Pressure>(to_spool[0]).level, queue::PressureLevel::refuse)
      << "a new spool is told";
}

TEST_F(QmgrServiceTest, WhatWasQueuedBeforeItCameIsNoBacklog) {
  to_spool.clear();
  spool->send(spool_qmgr::Load{.messages = 50'000, .memory_bytes = 0, .disk_bytes = 0, .max_disk_bytes = 0});
  run();
  EXPECT_THAT(to_spool, SizeIs(0)) << "most of it was attempted long ago";
  spool->send(spool_qmgr::Load{.messages = 51'500, .memory_bytes = 0, .disk_bytes = 0, .max_disk_bytes = 0});
  run();
  ASSERT_THAT(to_spool, SizeIs(1));
  EXPECT_EQ(std::get<spool_qmgr::Pressure>(to_spool[0]).cause,
            "backlog: 1500 messages wait for their first attempt, 1000 may");
}

TEST_F(QmgrServiceTest, FlushesAndTellsTheNextAttempt) {
  give(1);
  route_all();
  const auto attempted = wall_now();
  spool->send(spool_qmgr::Recorded{
      {{QueueId{1}, {{0, mail::Disposition::deferred, {452, {4, 2, 2}, "full"}, attempted}}}}});
  run();
  admin->send(AskNext{7, {QueueId{1}, QueueId{99}}});
  run();
  const auto& next = std::get<NextAttempts>(to_admin.back());
  EXPECT_EQ(next.request, 7U);
  ASSERT_THAT(next.messages, SizeIs(2));
  ASSERT_TRUE(next.messages[0].at);
  EXPECT_GT(*next.messages[0].at, attempted);
  EXPECT_FALSE(next.messages[1].at) << "it is not there";

  to_spool.clear();
  admin->send(Flush{8, QueueId{1}, {}});
  run();
  const auto& flushed = std::get<Flushed>(to_admin.back());
  EXPECT_EQ(flushed.request, 8U);
  EXPECT_TRUE(flushed.known);
  EXPECT_EQ(flushed.recipients, 1U);
  admin->send(Flush{9, QueueId{99}, {}});
  admin->send(Flush{10, {}, "no such site"});
  run();
  for (std::size_t back = 1; back <= 2; ++back) {
    EXPECT_FALSE(std::get<Flushed>(to_admin[to_admin.size() - back]).known);
  }
}

TEST_F(QmgrServiceTest, AsksSpoolForTheAddressOfWhatHasWaitedBeforeItAsksRouter) {
  give(1);
  route_all();
  spool->send(spool_qmgr::Recorded{
      {{QueueId{1}, {{0, mail::Disposition::deferred, {452, {4, 2, 2}, "full"}, wall_now()}}}}});
  run();
  to_spool.clear();
  admin->send(Flush{8, QueueId{1}, {}});
  run();
  ASSERT_THAT(to_spool, SizeIs(1));
  EXPECT_THAT(std::get<spool_qmgr::GetAddresses>(to_spool[0]).ids, testing::ElementsAre(QueueId{1}));
  EXPECT_THAT(to_router, SizeIs(0));
  const auto ann = *mail::Mailbox::from_wire("ann@example.org");
  // Of another recipient and another message, too: nobody asked for those.
  spool->send(
      spool_qmgr::Addresses{{{QueueId{99}, {{0, ann}}}, {QueueId{1}, {{7, ann}, {0, ann}, {0, ann}}}}});
  run();
  ASSERT_THAT(to_router, SizeIs(1));
  const auto& question = std::get<router::Route>(to_router[0]);
  ASSERT_THAT(question.recipients, SizeIs(1));
  EXPECT_EQ(question.recipients[0].address, ann);
}

TEST_F(QmgrServiceTest, TakesANewSliceOnlyWhenItIsOne) {
  EXPECT_FALSE(service->new_slice("garbage", false));
  auto slice = make_slice();
  slice.site_concurrency = 1;
  slice.max_active_messages = 10;
  EXPECT_TRUE(service->new_slice(encode(slice), true));
  to_spool.clear();
  give(5);
  to_spool.clear();
  route_all();
  ASSERT_FALSE(to_spool.empty());
  EXPECT_THAT(std::get<spool_qmgr::Orders>(to_spool[0]).orders, SizeIs(1));
}

TEST_F(QmgrServiceTest, DrainsAtOnceAndOrdersNothingMore) {
  give(1);
  service->drain(false);
  EXPECT_TRUE(exited);
  to_spool.clear();
  run();
  EXPECT_THAT(to_spool, SizeIs(0));
}

}  // namespace
}  // namespace sternpost::qmgr

#include "service/bounce/bounce_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>

namespace sternpost::bounce {
namespace {

using spool_notice::Nobody;
using spool_notice::Written;
using testing::ElementsAre;
using testing::SizeIs;

struct NoRecords final : RecordSink {
  void record(Record) override {}
};

/// The service on one end of a channel, and the test as spool on the other.
class BounceServiceTest : public testing::Test {
 protected:
  using SpoolEnd = Channel<spool_notice::FromBounce, spool_notice::ToBounce>;

  void SetUp() override {
    auto made = BounceService::make({.loop = loop,
                                     .slice = encode(config::BounceSlice{"mx.example.org", 65'536}),
                                     .records = records,
                                     .traffic = traffic,
                                     .exit = [this] { exited = true; },
                                     .channel_closed =
                                         [this](Compartment row, const Error&, bool last) {
                                           EXPECT_TRUE(last);
                                           lost.push_back(row);
                                         }});
    ASSERT_TRUE(made);
    service = std::move(*made);
    connect();
  }

  void connect() {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    spool = std::make_unique<SpoolEnd>(
        loop, UniqueFd(ends[0]), FrameLimits{.max_frame = spool_notice::kMaxFrame}, traffic,
        SpoolEnd::Handlers{.on_frame = [this](spool_notice::FromBounce&& frame) -> Result<void> {
                             frames.push_back(std::move(frame));
                             return {};
                           },
                           .on_closed = [](const Error&) {}});
    service->peer(Compartment::spool, 0, UniqueFd(ends[1]));
  }

  void run() {
    while (loop.poll_one() > 0) {
    }
    loop.restart();
  }

  static spool_notice::Job job(spool_notice::JobId number) {
    spool_notice::Job one;
    one.job = number;
    one.reverse_path = *mail::Mailbox::from_wire("alice@example.com");
    one.recipients = {{*mail::Mailbox::from_wire("bob@example.net"),
                       {0, mail::Disposition::failed, {550, {5, 1, 1}, "nobody"}, wall_now()}}};
    one.content = "Subject: Lunch\r\n\r\n";
    return one;
  }

  boost::asio::io_context loop;
  TrafficCounters traffic;
  NoRecords records;
  bool exited = false;
  std::vector<Compartment> lost;
  std::unique_ptr<Service> service;
  std::unique_ptr<SpoolEnd> spool;
  std::vector<spool_notice::FromBounce> frames;
};

TEST_F(BounceServiceTest, AnswersEveryJobAndCounts) {
  auto nobody = job(2);
  nobody.recipients.clear();
  spool->send(job(1));
  spool->send(nobody);
  spool->send(job(3));
  run();
  ASSERT_THAT(frames, SizeIs(3));
  EXPECT_EQ(std::get<Written>(frames[0]).job, 1U);
  EXPECT_EQ(std::get<Nobody>(frames[1]).job, 2U);
  EXPECT_EQ(std::get<Written>(frames[2]).job, 3U);
  EXPECT_EQ(service->counters().at(0).value, 2U);
  EXPECT_EQ(service->counters().at(1).value, 1U);
}

TEST_F(BounceServiceTest, TheLongestJobIsAnsweredInOneFrameThatSpoolTakes) {
  auto longest = job(1);
  longest.content = "Subject: Lunch\r\n";
  while (longest.content.size() < 65'536) longest.content += "X-Filler: " + std::string(80, 'x') + "\r\n";
  longest.recipients.clear();
  std::size_t bytes = 0;
  for (std::uint32_t i = 0; bytes <= spool_notice::kRecipientsBytes; ++i) {
    auto& one = longest.recipients.emplace_back();
    one.address = *mail::Mailbox::from_wire(std::string(64, 'u') + "@" + std::to_string(i) + ".example.net");
    one.last = {i,
                mail::Disposition::failed,
                {550, {5, 1, 1}, std::string(512, 'x')},
                wall_now(),
                std::string(320, 'r')};
    bytes += encode(one).size();
  }
  spool->send(longest);
  run();
  ASSERT_THAT(frames, SizeIs(1));
  const auto& notice = std::get<Written>(frames[0]);
  EXPECT_LE(notice.content.size(), spool_notice::kMaxNotice);
  EXPECT_GT(notice.content.size(), spool_notice::kRecipientsBytes / 2) << "all are told of";
  EXPECT_THAT(lost, SizeIs(0));
}

TEST_F(BounceServiceTest, ANewSpoolIsServedLikeTheFirst) {
  spool.reset();
  run();
  EXPECT_THAT(lost, ElementsAre(Compartment::spool));
  connect();
  spool->send(job(1));
  run();
  EXPECT_THAT(frames, SizeIs(1));
}

TEST_F(BounceServiceTest, KeepsNothingAndSoDrainsAtOnce) {
  spool->send(job(1));
  run();
  service->drain(false);
  EXPECT_TRUE(exited);
}

TEST_F(BounceServiceTest, ASliceThatIsNoneIsRefused) {
  EXPECT_FALSE(BounceService::make({.loop = loop, .slice = "x", .records = records, .traffic = traffic}));
}

}  // namespace
}  // namespace sternpost::bounce

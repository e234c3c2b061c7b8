#include "service/virtual/virtual_service.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

#include "base/checksum.h"

namespace sternpost::virtual_mailbox {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::SizeIs;

struct Records final : RecordSink {
  void record(Record record) override { made.push_back(std::move(record)); }
  std::vector<Record> made;
};

/// The service on one end of a channel, and the test as spool on the other.
class VirtualServiceTest : public testing::Test {
 protected:
  using SpoolEnd = Channel<spool_agent::FromAgent, spool_agent::ToAgent>;

  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "virtualXXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root = name;
    config::VirtualSlice slice;
    slice.hostname = "mx.example.org";
    slice.domains = {"example.org"};
    slice.max_batch = max_batch();
    ServiceContext context{.loop = loop,
                           .instance = 0,
                           .slice = encode(slice),
                           .initial_peers = 0,
                           .records = records,
                           .traffic = traffic,
                           .exit = [this] { exited = true; },
                           .channel_closed =
                               [this](Compartment row, const Error& why, bool last) {
                                 if (row == Compartment::spool && last) lost.push_back(why.what_to_do);
                               }};
    context.folders.emplace_back(::open(name.c_str(), O_RDONLY | O_DIRECTORY));
    auto made = VirtualService::make(std::move(context));
    ASSERT_TRUE(made);
    service = std::move(*made);
    connect();
  }
  void TearDown() override {
    spool.reset();
    service.reset();
    fs::remove_all(root);
  }

  [[nodiscard]] virtual std::uint32_t max_batch() const { return 100; }

  void connect() {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    spool = std::make_unique<SpoolEnd>(
        loop, UniqueFd(ends[0]), FrameLimits{.max_frame = spool_agent::kMaxFrame}, traffic,
        SpoolEnd::Handlers{.on_frame = [this](spool_agent::FromAgent&& frame) -> Result<void> {
                             frames.push_back(std::move(frame));
                             return {};
                           },
                           .on_closed = [this](const Error&) { closed = true; }});
    service->peer(Compartment::spool, 0, UniqueFd(ends[1]));
  }

  void run() {
    while (loop.poll_one() > 0) {
    }
    loop.restart();
  }

  static spool_agent::Job job_of(spool_agent::JobId number, std::string content) {
    return {number,
            QueueId{number},
            wall_now(),
            std::nullopt,
            {{0, *mail::Mailbox::from_wire("ann@example.org")}},
            std::move(content)};
  }
  void hand(spool_agent::JobId number) { spool->send(job_of(number, "A: b\r\n\r\n")); }

  static spool_agent::Job job_with_file(spool_agent::JobId number, std::string_view content,
                                        std::uint64_t bytes) {
    auto job = job_of(number, "");
    job.file = {bytes, checksum(content, 0)};
    job.descriptor = std::make_shared<const UniqueFd>(::memfd_create("content", MFD_CLOEXEC));
    EXPECT_EQ(::pwrite(job.descriptor->get(), content.data(), content.size(), 0),
              static_cast<ssize_t>(content.size()));
    return job;
  }

  [[nodiscard]] std::size_t delivered() const {
    const auto folder = root / "ann/new";
    if (!fs::exists(folder)) return 0;
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), {}));
  }

  boost::asio::io_context loop;
  TrafficCounters traffic;
  Records records;
  fs::path root;
  bool exited = false;
  std::vector<ErrorClass> lost;
  bool closed = false;
  std::unique_ptr<Service> service;
  std::unique_ptr<SpoolEnd> spool;
  std::vector<spool_agent::FromAgent> frames;
};

TEST(Gathering, LastsAsLongAsABatchOfSeveralTook) {
  using std::chrono::milliseconds;
  EXPECT_EQ(VirtualService::gathering_after(0, milliseconds(3)), milliseconds(0));
  EXPECT_EQ(VirtualService::gathering_after(1, milliseconds(3)), milliseconds(0)) << "nothing comes with it";
  EXPECT_EQ(VirtualService::gathering_after(2, milliseconds(3)), milliseconds(3));
  EXPECT_EQ(VirtualService::gathering_after(200, milliseconds(300)), VirtualService::kMostGathering);
}

TEST_F(VirtualServiceTest, DeliversWhatGathersAfterABatchOfSeveral) {
  hand(1);
  hand(2);
  run();
  EXPECT_EQ(delivered(), 2U);
  for (const spool_agent::JobId number : {3U, 4U, 5U}) hand(number);
  while (delivered() < 5) {
    ASSERT_GT(loop.run_one_for(std::chrono::seconds(60)), 0U) << "jobs are forgotten";
    loop.restart();
  }
}

class VirtualServiceInSmallBatches : public VirtualServiceTest {
  [[nodiscard]] std::uint32_t max_batch() const override { return 10; }
};

TEST_F(VirtualServiceInSmallBatches, GoesOnAtOnceWithWhatAFullBatchLeftOver) {
  for (spool_agent::JobId i = 1; i <= 20; ++i) hand(i);
  run();
  EXPECT_EQ(delivered(), 20U);
}

TEST_F(VirtualServiceTest, AnnouncesItselfDeliversInOneBatchAndRecordsWhatIsDurable) {
  for (spool_agent::JobId i = 1; i <= 20; ++i) hand(i);
  run();
  ASSERT_THAT(frames, SizeIs(21));
  EXPECT_TRUE(std::get<spool_agent::InHand>(frames[0]).jobs.empty());
  EXPECT_EQ(std::get<spool_agent::Outcome>(frames[20]).job, 20U);
  EXPECT_EQ(delivered(), 20U);
  EXPECT_EQ(service->counters().front().value, 1U) << "batches";
  EXPECT_THAT(records.made, SizeIs(0));
  spool->send(spool_agent::Recorded{{1, 2, 3}});
  run();
  EXPECT_THAT(records.made, SizeIs(3));
}

TEST_F(VirtualServiceTest, DeliversAFileToAllRecipientsAsItWouldFromMemory) {
  std::string content = "Subject: large\r\n\r\n";
  for (int i = 0; i < 40'000; ++i) content += "line " + std::to_string(i) + "\r\n";
  auto job = job_with_file(1, content, content.size());
  job.recipients.push_back({1, *mail::Mailbox::from_wire("bob@example.org")});
  spool->send(job);
  run();
  ASSERT_THAT(frames, SizeIs(2));
  const auto& outcome = std::get<spool_agent::Outcome>(frames[1]);
  std::string local = content;
  std::erase(local, '\r');
  for (const auto& one : outcome.recipients) EXPECT_EQ(one.disposition, mail::Disposition::delivered);
  for (const auto* folder_name : {"ann/new", "bob/new"}) {
    const auto folder = root / folder_name;
    std::ifstream file(fs::directory_iterator(folder)->path());
    const std::string stored{std::istreambuf_iterator<char>(file), {}};
    EXPECT_TRUE(stored.ends_with(".org\n" + local));
  }
}

TEST_F(VirtualServiceTest, SaysThatAFileIsTooShortAndDrains) {
  spool->send(job_with_file(1, "A: b\r\n\r\n", 9));
  service->drain(false);
  EXPECT_TRUE(exited) << "nothing came yet";
  exited = false;
  run();
  ASSERT_THAT(frames, SizeIs(2));
  const auto& unreadable = std::get<spool_agent::Unreadable>(frames[1]);
  EXPECT_EQ(unreadable.job, 1U);
  EXPECT_EQ(unreadable.why, "the content of the message ends after 8 of 9 bytes");
  EXPECT_EQ(delivered(), 0U);
  EXPECT_TRUE(exited);
}

TEST_F(VirtualServiceTest, AFileWithoutItsDescriptorClosesTheChannel) {
  auto job = job_with_file(1, "A: b\r\n\r\n", 8);
  job.descriptor = nullptr;
  spool->send(job);
  run();
  EXPECT_TRUE(closed);
  EXPECT_THAT(lost, ElementsAre(ErrorClass::peer));
}

TEST_F(VirtualServiceTest, ANewSpoolGetsTheOutcomesAgainWithoutASecondDelivery) {
  hand(1);
  run();
  frames.clear();
  connect();
  run();
  ASSERT_THAT(frames, SizeIs(2));
  EXPECT_THAT(std::get<spool_agent::InHand>(frames[0]).jobs, SizeIs(1));
  EXPECT_EQ(std::get<spool_agent::Outcome>(frames[1]).job, 1U);
  EXPECT_EQ(delivered(), 1U);
}

TEST_F(VirtualServiceTest, AnUnknownAcknowledgementClosesTheChannel) {
  spool->send(spool_agent::Recorded{{9}});
  run();
  EXPECT_TRUE(closed);
  EXPECT_THAT(lost, ElementsAre(ErrorClass::peer));
}

TEST_F(VirtualServiceTest, DrainsWhenTheLastOutcomeIsAcknowledged) {
  hand(1);
  run();
  service->drain(false);
  run();
  EXPECT_FALSE(exited);
  spool->send(spool_agent::Recorded{{1}});
  run();
  EXPECT_TRUE(exited);
}

}  // namespace
}  // namespace sternpost::virtual_mailbox

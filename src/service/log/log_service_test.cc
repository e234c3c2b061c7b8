#include "service/log/log_service.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>

#include "runtime/record_text.h"

namespace sternpost::logging {
namespace {

class NoRecords final : public RecordSink {
 public:
  void record(Record) override {}
};

/// A log service with its folder, and the other ends of the channels that it was given.
class LogServiceTest : public testing::Test {
 protected:
  using Sender = Channel<log_channel::FromLog, log_channel::ToLog>;

  void SetUp() override {
    std::string name = testing::TempDir() + "log-service-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
    config::LogSlice slice;
    slice.max_file_bytes = 1U << 20U;
    slice.keep_files = 2;
    std::vector<UniqueFd> folders;
    folders.emplace_back(::open(name.c_str(), O_DIRECTORY | O_PATH | O_CLOEXEC));
    service_ = std::make_unique<LogService>(ServiceContext{.loop = loop_,
                                                           .instance = 0,
                                                           .folders = std::move(folders),
                                                           .initial_peers = 0,
                                                           .records = no_records_,
                                                           .traffic = traffic_,
                                                           .exit = [this] { exited_ = true; }},
                                            slice);
  }
  void TearDown() override {
    service_.reset();
    std::filesystem::remove_all(path_);
  }

  std::unique_ptr<Sender> connect(Compartment row) {
    auto ends = socket_pair();
    service_->peer(row, 0, std::move(ends.first));
    return std::make_unique<Sender>(
        loop_, std::move(ends.second), FrameLimits{.max_frame = log_channel::kMaxFrame}, sender_traffic_,
        Sender::Handlers{[](log_channel::FromLog&&) -> Result<void> { return {}; }, [](const Error&) {}});
  }

  static std::pair<UniqueFd, UniqueFd> socket_pair() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
  }

  /// Until nothing is left to do and no timer runs out for a while. Each event begins the wait anew, so that
  /// a slow disk or a busy machine only makes it longer.
  void run() {
    loop_.restart();
    while (loop_.run_one_for(Milliseconds{50}) > 0) {
    }
  }

  [[nodiscard]] std::vector<Record> history() const {
    std::vector<Record> records;
    std::ifstream file(path_ / "history.jsonl");
    for (std::string line; std::getline(file, line);) {
      const auto record = parse_json_line(line);
      EXPECT_TRUE(record) << line;
      if (record) records.push_back(*record);
    }
    return records;
  }

  boost::asio::io_context loop_;
  TrafficCounters traffic_;
  TrafficCounters sender_traffic_;
  NoRecords no_records_;
  std::filesystem::path path_;
  bool exited_ = false;
  std::unique_ptr<LogService> service_;
};

Record record_of(std::string outcome) {
  Record record;
  record.by = Compartment::smtpd;
  record.decision = Decision::accepted;
  record.outcome = std::move(outcome);
  return record;
}

TEST_F(LogServiceTest, WritesRecordsForProgramsAndForPeople) {
  const auto smtpd = connect(Compartment::smtpd);
  smtpd->send(log_channel::Records{{record_of("one"), record_of("two")}, 0});
  run();
  const auto records = history();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[1], record_of("two"));
  std::ifstream mail_log(path_ / "mail.log");
  std::string line;
  ASSERT_TRUE(std::getline(mail_log, line));
  EXPECT_TRUE(line.ends_with("smtpd accepted: one")) << line;
}

TEST_F(LogServiceTest, LetsNobodySpeakForAnother) {
  const auto router = connect(Compartment::router);
  router->send(log_channel::Records{{record_of("forged")}, 0});
  run();
  ASSERT_EQ(history().size(), 1U);
  EXPECT_EQ(history()[0].by, Compartment::router);
}

TEST_F(LogServiceTest, RecordsWhatAPeerHadToDrop) {
  const auto smtpd = connect(Compartment::smtpd);
  smtpd->send(log_channel::Records{{record_of("after")}, 42});
  run();
  const auto records = history();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].decision, Decision::dropped);
  EXPECT_EQ(records[0].facts, (std::vector<Fact>{{"records", "42"}}));
}

TEST_F(LogServiceTest, RecordsABreachOfProtocolAndGoesOn) {
  auto ends = socket_pair();
  service_->peer(Compartment::qmgr, 0, std::move(ends.first));
  const std::string garbage(64, '\xff');
  ASSERT_EQ(::send(ends.second.get(), garbage.data(), garbage.size(), 0), 64);
  const auto smtpd = connect(Compartment::smtpd);
  smtpd->send(log_channel::Records{{record_of("good")}, 0});
  run();
  const auto records = history();
  ASSERT_EQ(records.size(), 2U);
  const auto& violation = records[0].decision == Decision::violation ? records[0] : records[1];
  EXPECT_EQ(violation.decision, Decision::violation);
  EXPECT_EQ(violation.facts, (std::vector<Fact>{{"peer", "qmgr"}}));
}

TEST_F(LogServiceTest, EndsWhenDrainedAndAllPeersAreGone) {
  auto smtpd = connect(Compartment::smtpd);
  smtpd->send(log_channel::Records{{record_of("last words")}, 0});
  service_->drain(true);
  run();
  EXPECT_FALSE(exited_);
  smtpd.reset();
  run();
  EXPECT_TRUE(exited_);
  EXPECT_EQ(history().size(), 1U);
}

TEST_F(LogServiceTest, EndsAfterAGraceAlthoughAPeerStays) {
  const auto master = connect(Compartment::master);
  service_->drain(false);
  loop_.restart();
  while (!exited_ && loop_.run_one_for(Seconds{20}) > 0) {
  }
  EXPECT_TRUE(exited_);
}

TEST_F(LogServiceTest, TakesANewSliceOnlyWhenItIsCommitted) {
  config::LogSlice slice;
  slice.max_file_bytes = 1;
  slice.keep_files = 1;
  slice.text = false;
  EXPECT_FALSE(service_->new_slice("garbage", true));
  ASSERT_TRUE(service_->new_slice(encode(slice), false));
  const auto smtpd = connect(Compartment::smtpd);
  for (const bool commit : {false, true}) {
    if (commit) {
      ASSERT_TRUE(service_->new_slice(encode(slice), true));
    }
    smtpd->send(log_channel::Records{{record_of("x")}, 0});
    run();
    EXPECT_EQ(std::filesystem::exists(path_ / "history.jsonl.1"), commit);
  }
}

TEST_F(LogServiceTest, CountsWhatItWrites) {
  const auto smtpd = connect(Compartment::smtpd);
  smtpd->send(log_channel::Records{{record_of("x"), record_of("y")}, 5});
  run();
  std::map<std::string, std::uint64_t> counters;
  for (const auto& [name, value] : service_->counters()) counters[name] = value;
  EXPECT_EQ(counters["records_written"], 3U);
  EXPECT_EQ(counters["records_dropped_by_peers"], 5U);
}

TEST_F(LogServiceTest, GoesOnWhenTheFolderTakesNothing) {
  std::filesystem::remove_all(path_);
  const auto smtpd = connect(Compartment::smtpd);
  for (int i = 0; i < 3; ++i) {
    smtpd->send(log_channel::Records{{record_of("kept")}, 0});
    run();
  }
  std::filesystem::create_directory(
      path_);  // another folder under the old name: the descriptor still has the old one
  std::map<std::string, std::uint64_t> counters;
  for (const auto& [name, value] : service_->counters()) counters[name] = value;
  EXPECT_GT(counters["octets_waiting"], 0U);
  EXPECT_EQ(counters["write_failures"], 1U);  // asked again once a second, not at every record
}

}  // namespace
}  // namespace sternpost::logging

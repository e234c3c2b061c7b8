#include "delivery/deliverer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <random>

#include "delivery/deferral.h"
#include "delivery/simulated_files.h"

namespace sternpost::delivery {
namespace {

using mail::Disposition;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

constexpr WallTime kArrival{2'000'000'123'456};
constexpr std::string_view kContent = "Subject: hello\r\n\r\nline one\r\nline two\r\n";
constexpr std::string_view kStored =
    "Return-Path: <from@example.net>\nDelivered-To: ann@example.org\nSubject: hello\n\nline one\nline two\n";

/// Content for as long as the tests run.
mail::ContentSource* in_memory(std::string_view content) {
  static std::map<std::string, mail::ContentInMemory, std::less<>> contents;
  return &contents.try_emplace(std::string(content), std::string(content)).first->second;
}

Delivery delivery(std::uint64_t id, std::string folder = "ann", std::uint32_t recipient = 0) {
  return {.folder = std::move(folder),
          .id = QueueId{id},
          .arrival = kArrival,
          .reverse_path = mail::Mailbox::from_wire("from@example.net"),
          .recipient = recipient,
          .address = *mail::Mailbox::from_wire("ann@example.org"),
          .content = in_memory(kContent)};
}

class DelivererTest : public testing::Test {
 protected:
  DeliveryResult deliver_one(const Delivery& one) { return deliverer().deliver({&one, 1}).front(); }

  Deliverer& deliverer() {
    if (!deliverer_) deliverer_.emplace(files, SimulatedFiles::kRoot, "mx.example.org");
    return *deliverer_;
  }

  [[nodiscard]] std::size_t count_in(const std::string& path) const {
    const auto folder = files.at(path);
    return folder ? folder->entries.size() : 0;
  }

  /// Makes the Maildir and its durability known, so that one message alone is synced by fsync.
  void warm_up() {
    ASSERT_EQ(deliver_one(delivery(999)).disposition, Disposition::delivered);
    files.log.clear();
  }

  SimulatedFiles files;
  std::optional<Deliverer> deliverer_;
};

TEST_F(DelivererTest, WritesTheFileWithItsFieldsAndLocalLineEnds) {
  const auto result = deliver_one(delivery(7));
  EXPECT_EQ(result.disposition, Disposition::delivered);
  EXPECT_EQ(result.reply.code, 250);
  EXPECT_EQ(result.file, "2000000.M123456Q" + to_string(QueueId{7}) + "R0.mx.example.org");
  const auto file = files.at("ann/new/" + result.file);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->bytes, kStored);
  EXPECT_EQ(file->durable_bytes, kStored);
  EXPECT_EQ(count_in("ann/tmp"), 0U);
  EXPECT_TRUE(files.at("ann/cur"));
}

TEST_F(DelivererTest, ABatchSharesTwoSyncs) {
  std::vector<Delivery> batch;
  for (std::uint64_t i = 1; i <= 50; ++i) batch.push_back(delivery(i, "user" + std::to_string(i % 7)));
  for (const auto& result : deliverer().deliver(batch)) EXPECT_EQ(result.disposition, Disposition::delivered);
  EXPECT_EQ(std::count(files.log.begin(), files.log.end(), "sync_all"), 2);
  EXPECT_EQ(std::count(files.log.begin(), files.log.end(), "sync"), 0);
}

TEST_F(DelivererTest, OneAloneInAKnownMaildirIsSyncedByItself) {
  warm_up();
  EXPECT_EQ(deliver_one(delivery(1)).disposition, Disposition::delivered);
  EXPECT_EQ(std::count(files.log.begin(), files.log.end(), "sync_all"), 0);
  EXPECT_EQ(std::count(files.log.begin(), files.log.end(), "sync"), 2);
}

TEST_F(DelivererTest, ARepeatedAttemptFindsItselfInNewAndInCurWithFlags) {
  const auto first = deliver_one(delivery(1));
  const auto second = deliver_one(delivery(1));
  EXPECT_TRUE(second.found_earlier);
  EXPECT_EQ(second.disposition, Disposition::delivered);
  EXPECT_EQ(count_in("ann/new"), 1U);

  files.now = kArrival + Seconds(60);
  files.at("ann/new")->entries.clear();
  files.add_file(files.at("ann/cur"), first.file + ":2,S", std::string(kStored));
  const auto third = deliver_one(delivery(1));
  EXPECT_TRUE(third.found_earlier);
  EXPECT_EQ(count_in("ann/new"), 0U);
  EXPECT_FALSE(deliver_one(delivery(2)).found_earlier);
}

TEST_F(DelivererTest, CurIsNotSearchedWhereItDidNotChangeSinceTheArrival) {
  warm_up();
  (void)deliver_one(delivery(1));
  EXPECT_THAT(files.log, Not(Contains("has_flagged")));
  files.at("ann/cur")->modified = kArrival - Deliverer::kClockSlack;
  (void)deliver_one(delivery(2));
  EXPECT_THAT(files.log, Contains("has_flagged"));
}

TEST_F(DelivererTest, ALongHostnameLeavesRoomForFlagsInTheFileName) {
  const auto name = maildir_file_name(kArrival, QueueId{UINT64_MAX}, UINT32_MAX, std::string(255, 'h'));
  EXPECT_LE(name.size() + std::string_view(":2,DFPRST").size(), 255U);
}

TEST_F(DelivererTest, ALeftoverInTmpIsReplaced) {
  warm_up();
  const auto name = maildir_file_name(kArrival, QueueId{5}, 0, "mx.example.org");
  files.add_file(files.at("ann/tmp"), name, "half of a mess");
  EXPECT_EQ(deliver_one(delivery(5)).disposition, Disposition::delivered);
  EXPECT_EQ(files.at("ann/new/" + name)->bytes, kStored);
}

TEST_F(DelivererTest, RecipientsOfOneMessageInOneMailboxGetAFileEach) {
  const std::vector<Delivery> batch = {delivery(1, "ann", 0), delivery(1, "ann", 1)};
  (void)deliverer().deliver(batch);
  EXPECT_EQ(count_in("ann/new"), 2U);
}

TEST_F(DelivererTest, EveryFailingCallDefersAndLeavesNoTraceInTmpOrNew) {
  for (const auto* call : {"open_directory", "make_directory", "device", "create", "write", "sync_all",
                           "rename", "exists", "modified"}) {
    SCOPED_TRACE(call);
    files = SimulatedFiles();
    deliverer_.reset();
    files.failing_calls[call] = EIO;
    const auto result = deliver_one(delivery(1));
    EXPECT_EQ(result.disposition, Disposition::deferred);
    EXPECT_EQ(result.reply.status, (mail::EnhancedStatus{4, 3, 0}));
    EXPECT_EQ(count_in("ann/tmp") + count_in("ann/new"), 0U);
    files.failing_calls.clear();
    EXPECT_EQ(deliver_one(delivery(1)).disposition, Disposition::delivered);
    EXPECT_EQ(count_in("ann/new"), 1U);
  }
}

/// Two pieces; the second can be had no more often than `times`.
class FailingContent final : public mail::ContentSource {
 public:
  explicit FailingContent(int times) : left_(times) {}
  void rewind() override { next_ = 0; }
  Result<std::string_view> next() override {
    if (next_++ == 0) return kContent.substr(0, 10);
    if (left_-- == 0) return fail(ErrorClass::temporary, "reading: Input/output error", EIO);
    return kContent.substr(10);
  }
  [[nodiscard]] bool ended() const override { return next_ == 2; }

 private:
  int next_ = 0;
  int left_;
};

TEST_F(DelivererTest, ContentThatCannotBeReadDefersItsOwnAlone) {
  constexpr int kHeaderOfBothAndOneFile = 3;
  FailingContent failing(kHeaderOfBothAndOneFile);
  std::vector<Delivery> batch = {delivery(1), delivery(1, "bob", 1), delivery(2, "eve")};
  batch[0].content = batch[1].content = &failing;
  const auto results = deliverer().deliver(batch);
  EXPECT_EQ(results[0].disposition, Disposition::delivered);
  EXPECT_EQ(results[1].disposition, Disposition::deferred);
  EXPECT_EQ(mail::to_string(results[1].reply), "451 4.3.0 reading: Input/output error");
  EXPECT_EQ(results[2].disposition, Disposition::delivered);
  EXPECT_EQ(files.at("ann/new/" + results[0].file)->bytes, kStored);
  EXPECT_EQ(count_in("bob/tmp") + count_in("bob/new"), 0U);

  FailingContent without_header(0);
  batch[0].content = &without_header;
  EXPECT_EQ(deliver_one(batch[0]).disposition, Disposition::deferred);
}

TEST_F(DelivererTest, AFailedSyncOfOneAloneDefersIt) {
  warm_up();
  files.failing_calls["sync"] = ENOSPC;
  EXPECT_EQ(deliver_one(delivery(1)).disposition, Disposition::deferred);
  EXPECT_EQ(count_in("ann/tmp"), 0U);
  EXPECT_EQ(count_in("ann/new"), 1U) << "only the one from before";
}

TEST_F(DelivererTest, AFailedSecondSyncDefersAllAndTakesTheFilesBack) {
  const std::vector<Delivery> batch = {delivery(1), delivery(2, "bob")};
  (void)deliverer().deliver(batch);
  const std::vector<Delivery> next = {delivery(3), delivery(4, "bob")};
  files.log.clear();
  (void)deliverer().deliver(next);
  const auto last = files.log.size() - 1;
  ASSERT_EQ(files.log[last], "sync_all");
  const std::vector<Delivery> failing = {delivery(5), delivery(6, "bob")};
  files.log.clear();
  files.failures[last] = EIO;
  for (const auto& result : deliverer().deliver(failing))
    EXPECT_EQ(result.disposition, Disposition::deferred);
  EXPECT_EQ(count_in("ann/new"), 2U);
  EXPECT_EQ(count_in("bob/new"), 2U);
}

TEST_F(DelivererTest, OneFailureInABatchDefersOnlyThatOne) {
  const std::vector<Delivery> setup = {delivery(1), delivery(2, "bob")};
  (void)deliverer().deliver(setup);
  files.at("bob")->entries["new"] =
      files.at("ann/new/" + maildir_file_name(kArrival, QueueId{1}, 0, "mx.example.org"));
  deliverer_.reset();
  const std::vector<Delivery> batch = {delivery(3), delivery(4, "bob"), delivery(5)};
  const auto results = deliverer().deliver(batch);
  EXPECT_EQ(results[0].disposition, Disposition::delivered);
  EXPECT_EQ(results[1].disposition, Disposition::deferred);
  EXPECT_THAT(results[1].reply.text, HasSubstr("symbolic link or a file"));
  EXPECT_EQ(results[2].disposition, Disposition::delivered);
}

TEST_F(DelivererTest, RepliesTellDiskQuotaAndPermissionApart) {
  EXPECT_EQ(to_string(deferral({ENOSPC}, "w")), "452 4.3.1 w: the mail disk is full");
  EXPECT_EQ(to_string(deferral({EDQUOT}, "w")), "452 4.2.2 w: the quota is used up");
  EXPECT_THAT(deferral({EACCES}, "w").text, HasSubstr("permission"));
  EXPECT_THAT(deferral({ELOOP}, "w").text, HasSubstr("symbolic link"));
  EXPECT_EQ(deferral({EIO}, "w").status, (mail::EnhancedStatus{4, 3, 0}));
}

TEST_F(DelivererTest, ALoopFailsForGood) {
  auto one = delivery(1);
  one.content = in_memory("Delivered-To: other@example.org\r\ndelivered-to:\r\n ANN@example.org\r\n\r\n");
  const auto result = deliver_one(one);
  EXPECT_EQ(result.disposition, Disposition::failed);
  EXPECT_EQ(result.reply.status, (mail::EnhancedStatus{5, 4, 6}));
  one.content = in_memory("Subject: x\r\n\r\nDelivered-To: ann@example.org\r\n");
  EXPECT_EQ(deliver_one(one).disposition, Disposition::delivered);
}

TEST_F(DelivererTest, AMailboxTakesWhatWasAcceptedHoweverManyHopsItMade) {
  std::string content;
  for (int i = 0; i < 1000; ++i) content += "Received: from a by b\r\n";
  content += "\r\n";
  auto one = delivery(1);
  one.content = in_memory(content);
  EXPECT_EQ(deliver_one(one).disposition, Disposition::delivered);
}

TEST_F(DelivererTest, EachFileSystemOfABatchIsSyncedAndNoOther) {
  files.mount("archive", 2);
  files.mount("empty", 3);
  const std::vector<Delivery> batch = {delivery(1), delivery(2, "archive/bob"), delivery(3),
                                       delivery(4, "archive/eve")};
  for (const auto& result : deliverer().deliver(batch)) EXPECT_EQ(result.disposition, Disposition::delivered);
  EXPECT_EQ(files.synced_devices, (std::vector<std::uint64_t>{1, 2, 1, 2}));
  files.log.clear();
  files.synced_devices.clear();
  EXPECT_EQ(deliver_one(delivery(5, "archive/new")).disposition, Disposition::delivered);
  EXPECT_EQ(files.synced_devices, (std::vector<std::uint64_t>{2, 2})) << "one alone, in a Maildir just made";
  const auto file =
      files.at("archive/new/new/" + maildir_file_name(kArrival, QueueId{5}, 0, "mx.example.org"));
  ASSERT_TRUE(file);
  EXPECT_EQ(file->durable_bytes, kStored);
}

TEST_F(DelivererTest, AFileSystemThatCannotBeSyncedDefersOnlyWhatIsThere) {
  files.mount("archive", 2);
  const std::vector<Delivery> batch = {delivery(1), delivery(2, "archive/bob")};
  files.failing_devices[2] = ENOSPC;
  const auto results = deliverer().deliver(batch);
  EXPECT_EQ(results[0].disposition, Disposition::delivered);
  EXPECT_EQ(results[1].disposition, Disposition::deferred);
  EXPECT_EQ(results[1].reply.status, (mail::EnhancedStatus{4, 3, 1}));
  EXPECT_EQ(count_in("ann/new"), 1U);
  EXPECT_EQ(count_in("archive/bob/new") + count_in("archive/bob/tmp"), 0U);
}

TEST_F(DelivererTest, AFailedSyncForgetsTheMaildirsOfItsFileSystemAndNoOther) {
  files.mount("archive", 2);
  auto& one = deliverer();
  const std::vector<Delivery> batch = {delivery(1), delivery(2, "archive/bob"), delivery(3, "archive/eve")};
  (void)one.deliver(batch);
  const auto open = files.open_handles();
  files.failing_devices[2] = EIO;
  const std::vector<Delivery> again = {delivery(4), delivery(5, "archive/bob")};
  (void)one.deliver(again);
  EXPECT_EQ(files.open_handles(), open - 6) << "eve's too, which would tell the error again";
}

TEST_F(DelivererTest, AMaildirInTwoFileSystemsIsDeferred) {
  files.mount("ann", 1);
  const auto ann = files.at("ann");
  files.mount("elsewhere", 2);
  ann->entries["new"] = files.at("elsewhere");
  EXPECT_EQ(deliver_one(delivery(1)).disposition, Disposition::deferred);
}

TEST_F(DelivererTest, AnUnsafeFolderIsDeferredAndTouchesNothing) {
  for (const auto* folder : {"../etc", "", "a//b", "/a", ".hidden", "a/"}) {
    EXPECT_EQ(deliver_one(delivery(1, folder)).disposition, Disposition::deferred) << folder;
  }
  EXPECT_TRUE(files.at("")->entries.empty());
}

TEST_F(DelivererTest, HandlesAreBoundedHoweverManyMailboxesThereAre) {
  for (std::uint64_t i = 0; i < 2 * MaildirCache::kMaxOpen; ++i) {
    (void)deliver_one(delivery(i + 1, "user" + std::to_string(i)));
  }
  EXPECT_LE(files.open_handles(), 3 * MaildirCache::kMaxOpen);
}

/// A run that crashes at each call in turn, of the process or of the machine, and is repeated until it
/// reports.
void survive(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Delivery> batch;
  const auto size = 1 + random() % 4;
  for (std::uint64_t i = 0; i < size; ++i)
    batch.push_back(
        delivery(i + 1, (random() % 2 == 0 ? "archive/user" : "user") + std::to_string(random() % 2)));

  SimulatedFiles files;
  files.mount("archive", 2);
  auto deliverer = std::make_unique<Deliverer>(files, SimulatedFiles::kRoot, "mx");
  for (std::uint64_t life = 0;; ++life) {
    files.crash_at = files.calls() + random() % (40 + 8 * life);
    try {
      for (const auto& result : deliverer->deliver(batch))
        ASSERT_EQ(result.disposition, Disposition::delivered);
      break;
    } catch (const SimulatedFiles::Crash&) {
      if (random() % 2 == 0) {
        files.restart_process();
      } else {
        files.restart_machine(random);
      }
      deliverer = std::make_unique<Deliverer>(files, SimulatedFiles::kRoot, "mx");
    }
  }
  files.restart_machine(random);
  for (const auto& one : batch) {
    const auto name = maildir_file_name(one.arrival, one.id, one.recipient, "mx");
    const auto file = files.at(one.folder + "/new/" + name);
    ASSERT_TRUE(file) << "seed " << seed;
    ASSERT_EQ(file->bytes, kStored) << "seed " << seed;
  }
}

TEST(DelivererSimulation, WhatWasReportedSurvivesACrashWholeAndOnce) {
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    survive(seed);
    if (testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace sternpost::delivery

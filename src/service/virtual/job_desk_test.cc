#include "service/virtual/job_desk.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/checksum.h"
#include "service/virtual/records.h"

namespace sternpost::virtual_mailbox {
namespace {

using mail::Disposition;
using testing::ElementsAre;
using testing::SizeIs;

constexpr WallTime kNow{5'000'000};

delivery::MailboxMap map() {
  delivery::MapSettings settings;
  settings.hostname = "mx.example.org";
  settings.domains = {"example.org"};
  settings.mailboxes = {};
  settings.system_users = true;
  return delivery::MailboxMap(settings);
}

spool_agent::Job job(spool_agent::JobId number, std::vector<std::string> recipients,
                     std::string content = "x") {
  spool_agent::Job made{number, QueueId{number + 100}, {1'000'000}, std::nullopt, {}, std::move(content)};
  std::uint32_t index = 0;
  for (const auto& address : recipients)
    made.recipients.push_back({index++, *mail::Mailbox::from_wire(address)});
  return made;
}

/// The content in a file, and what is said of it.
spool_agent::Job job_with_file(spool_agent::JobId number, std::vector<std::string> recipients,
                               const std::string& content, std::uint64_t sum) {
  auto made = job(number, std::move(recipients), "");
  made.file = {content.size(), sum};
  made.descriptor = std::make_shared<const UniqueFd>(::memfd_create("content", MFD_CLOEXEC));
  EXPECT_EQ(::pwrite(made.descriptor->get(), content.data(), content.size(), 0),
            static_cast<ssize_t>(content.size()));
  return made;
}

class JobDeskTest : public testing::Test {
 protected:
  Deliver deliver = [this](std::span<const delivery::Delivery> batch) {
    batches.push_back(batch.size());
    std::vector<delivery::DeliveryResult> results;
    for (const auto& one : batch) {
      one.content->rewind();
      contents.emplace_back(one.content->next().value());
      auto& result = results.emplace_back();
      result.disposition = Disposition::delivered;
      result.reply = {250, {2, 1, 5}, "delivered"};
      result.file = "file" + std::to_string(one.recipient);
    }
    return results;
  };

  JobDesk desk{map(), 4};
  std::vector<std::size_t> batches;
  std::vector<std::string> contents;
};

TEST_F(JobDeskTest, PiecesPrecedeTheLastOne) {
  ASSERT_TRUE(desk.desk().take_piece({1, "one "}));
  ASSERT_TRUE(desk.desk().take_piece({2, "other"}));
  ASSERT_TRUE(desk.desk().take_piece({1, "two "}));
  ASSERT_TRUE(desk.desk().take_job(job(1, {"ann@example.org"}, "three")));
  (void)desk.work(deliver, kNow);
  EXPECT_THAT(contents, ElementsAre("one two three"));
}

TEST_F(JobDeskTest, EveryRecipientGetsOneOutcomeInOrderAndUnknownOnesFail) {
  ASSERT_TRUE(desk.desk().take_job(job(1, {"ann@example.org", "ann@gone.example", "bob@example.org"})));
  const auto outcomes = desk.work(deliver, kNow).outcomes;
  ASSERT_THAT(outcomes, SizeIs(1));
  const auto& recipients = outcomes[0].recipients;
  ASSERT_THAT(recipients, SizeIs(3));
  EXPECT_EQ(recipients[0].disposition, Disposition::delivered);
  EXPECT_EQ(recipients[1].disposition, Disposition::failed);
  EXPECT_EQ(recipients[1].reply.status, (mail::EnhancedStatus{5, 1, 1}));
  EXPECT_EQ(recipients[2].recipient, 2U);
  EXPECT_EQ(recipients[2].attempted, kNow);
}

TEST_F(JobDeskTest, TheRecipientsOfAJobShareItsFile) {
  ASSERT_TRUE(desk.desk().take_job(
      job_with_file(1, {"ann@example.org", "bob@example.org"}, "in a file", checksum("in a file", 0))));
  const auto worked = desk.work(deliver, kNow);
  EXPECT_THAT(worked.outcomes, SizeIs(1));
  EXPECT_THAT(worked.unreadable, SizeIs(0));
  EXPECT_THAT(contents, ElementsAre("in a file", "in a file"));
}

TEST_F(JobDeskTest, AFileThatCannotBeReadEndsItsJobBeforeAnythingIsDelivered) {
  ASSERT_TRUE(desk.desk().take_job(job_with_file(1, {"ann@example.org"}, "damaged", 17)));
  ASSERT_TRUE(desk.desk().take_job(job(2, {"ann@example.org"}, "fine")));
  const auto worked = desk.work(deliver, kNow);
  ASSERT_THAT(worked.unreadable, SizeIs(1));
  EXPECT_EQ(worked.unreadable[0].job, 1U);
  EXPECT_EQ(worked.unreadable[0].why, "the content of the message is damaged: its checksum is wrong");
  EXPECT_TRUE(worked.unreadable[0].damaged);
  ASSERT_THAT(worked.outcomes, SizeIs(1));
  EXPECT_EQ(worked.outcomes[0].job, 2U);
  EXPECT_THAT(contents, ElementsAre("fine"));
  EXPECT_THAT(desk.desk().announce().front().jobs, SizeIs(1)) << "the job is forgotten";
  EXPECT_FALSE(desk.recorded({1}));
}

TEST_F(JobDeskTest, AFileThatTheDiskFailsToReadIsNotSaidToBeDamaged) {
  auto failing = job_with_file(1, {"ann@example.org"}, "content", checksum("content", 0));
  // What no process has at the address 0 cannot be read, and the kernel says EIO.
  failing.descriptor = to_shared(UniqueFd(::open("/proc/self/mem", O_RDONLY | O_CLOEXEC)));
  ASSERT_TRUE(desk.desk().take_job(std::move(failing)));
  const auto worked = desk.work(deliver, kNow);
  ASSERT_THAT(worked.unreadable, SizeIs(1));
  EXPECT_FALSE(worked.unreadable[0].damaged);
  EXPECT_THAT(contents, SizeIs(0));
}

TEST_F(JobDeskTest, AFileThatThereWasNoDescriptorForIsAttemptedLikeAnyOther) {
  auto without = job_with_file(1, {"ann@example.org"}, "content", checksum("content", 0));
  without.descriptor = std::make_shared<const UniqueFd>();
  ASSERT_TRUE(desk.desk().take_job(std::move(without)));
  std::vector<std::string> whys;
  const auto worked = desk.work(
      [&](std::span<const delivery::Delivery> batch) {
        const auto piece = batch.front().content->next();
        whys.push_back(piece ? "" : piece.error().text);
        return std::vector<delivery::DeliveryResult>(batch.size());
      },
      kNow);
  EXPECT_THAT(whys, ElementsAre("no descriptor was left for the content of the message"));
  EXPECT_THAT(worked.outcomes, SizeIs(1));
  EXPECT_THAT(worked.unreadable, SizeIs(0));
}

TEST_F(JobDeskTest, ABatchIsBoundedButAJobIsNeverSplit) {
  for (spool_agent::JobId i = 1; i <= 6; ++i) ASSERT_TRUE(desk.desk().take_job(job(i, {"ann@example.org"})));
  ASSERT_TRUE(desk.desk().take_job(job(7, std::vector<std::string>(9, "ann@example.org"))));
  while (desk.has_work()) (void)desk.work(deliver, kNow);
  EXPECT_THAT(batches, ElementsAre(4, 2, 9));
}

TEST_F(JobDeskTest, ABatchIsBoundedByWhatFilesAreLongToo) {
  const std::string content(JobDesk::kMaxBatchBytes / 4 + 1, 'x');
  const auto sum = checksum(content, 0);
  const auto hand = [&](spool_agent::JobId number, std::size_t recipients, std::uint64_t said) {
    ASSERT_TRUE(desk.desk().take_job(
        job_with_file(number, std::vector<std::string>(recipients, "ann@example.org"), content, said)));
  };
  hand(1, 2, sum);
  hand(2, 2, sum);
  hand(3, 3, sum);
  hand(4, 2, sum + 1);
  hand(5, 2, sum + 1);
  std::vector<std::size_t> told;
  while (desk.has_work()) {
    const auto worked = desk.work(deliver, kNow);
    told.push_back(worked.outcomes.size() + worked.unreadable.size());
  }
  EXPECT_THAT(batches, ElementsAre(2, 2, 3, 0, 0));
  EXPECT_THAT(told, ElementsAre(1, 1, 1, 1, 1)) << "what is read in vain takes time as well";
}

TEST_F(JobDeskTest, ANewSpoolIsToldOfEveryJobAndGivenTheOutcomesAgain) {
  ASSERT_TRUE(desk.desk().take_job(job(1, {"ann@example.org", "bob@example.org"})));
  (void)desk.work(deliver, kNow);
  ASSERT_TRUE(desk.desk().take_job(job(2, {"ann@example.org"})));
  ASSERT_TRUE(desk.desk().take_piece({3, "half"}));
  const auto frames = desk.desk().announce();
  ASSERT_THAT(frames, SizeIs(1));
  const auto& in_hand = frames.front();
  EXPECT_TRUE(in_hand.last);
  ASSERT_THAT(in_hand.jobs, SizeIs(2));
  EXPECT_EQ(in_hand.jobs[0].job, 1U);
  EXPECT_EQ(in_hand.jobs[0].id, QueueId{101});
  EXPECT_THAT(in_hand.jobs[0].recipients, ElementsAre(0, 1));
  EXPECT_EQ(in_hand.jobs[1].job, 2U);
  ASSERT_THAT(desk.desk().unacknowledged(), SizeIs(1));
  EXPECT_EQ(desk.desk().unacknowledged()[0].job, 1U);
  ASSERT_TRUE(desk.desk().take_job(job(3, {"ann@example.org"}, "whole")));
  (void)desk.work(deliver, kNow);
  EXPECT_EQ(contents.back(), "whole") << "a half from the old spool is dropped";
}

TEST_F(JobDeskTest, AnOutcomeIsKeptUntilItIsRecorded) {
  ASSERT_TRUE(desk.desk().take_job(job(1, {"ann@example.org"})));
  (void)desk.work(deliver, kNow);
  EXPECT_FALSE(desk.idle());
  const auto done = desk.recorded({1});
  ASSERT_TRUE(done);
  ASSERT_THAT(*done, SizeIs(1));
  EXPECT_TRUE(desk.idle());
  const auto records = to_records(done->front());
  ASSERT_THAT(records, SizeIs(1));
  EXPECT_EQ(records[0].decision, Decision::delivered);
  EXPECT_EQ(records[0].recipient, "ann@example.org");
  EXPECT_EQ(records[0].sender, "<>");
  EXPECT_EQ(records[0].facts[0], (Fact{"folder", "ann"}));
  EXPECT_EQ(records[0].facts[1], (Fact{"file", "file0"}));
}

TEST_F(JobDeskTest, BreachesOfProtocolAreRefused) {
  EXPECT_FALSE(desk.recorded({9}));
  ASSERT_TRUE(desk.desk().take_job(job(1, {"ann@example.org"})));
  EXPECT_FALSE(desk.desk().take_job(job(1, {"ann@example.org"})));
  EXPECT_FALSE(desk.recorded({1})) << "no outcome yet";
  (void)desk.work(deliver, kNow);
  EXPECT_FALSE(desk.desk().take_job(job(1, {"ann@example.org"})));
  EXPECT_TRUE(desk.recorded({1}));
  EXPECT_FALSE(desk.recorded({1}));
}

}  // namespace
}  // namespace sternpost::virtual_mailbox

#include "service/smtp/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sternpost::smtp_client {
namespace {

using testing::Contains;
using testing::EndsWith;
using testing::Field;
using testing::Not;
using testing::StartsWith;

FinishedJob job_of(std::vector<mail::Disposition> dispositions) {
  FinishedJob job;
  job.job = 1;
  job.id = QueueId{7};
  job.reverse_path = *mail::Mailbox::from_wire("sender@example.org");
  job.site = "smtp host a.example:25";
  job.dialogue = {"S: 220 hello", "C: EHLO us", "S: 550 5.1.1 nobody"};
  std::uint32_t index = 0;
  for (const auto disposition : dispositions) {
    job.recipients.push_back({*mail::Mailbox::from_wire("user" + std::to_string(index) + "@example.net"),
                              {index, disposition, {250, {2, 0, 0}, "said"}, WallTime{}, "a [192.0.2.1]"}});
    ++index;
  }
  return job;
}

std::string fact(const Record& record, std::string_view name) {
  for (const auto& one : record.facts) {
    if (one.name == name) return one.value;
  }
  return "no such fact";
}

TEST(SmtpRecords, OneForEachRecipientWithWhatBecameOfIt) {
  using enum mail::Disposition;
  const auto records = to_records(job_of({delivered, failed, deferred}));
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[0].decision, Decision::delivered);
  EXPECT_EQ(records[1].decision, Decision::failed);
  EXPECT_EQ(records[2].decision, Decision::deferred);
  for (const auto& record : records) {
    EXPECT_EQ(record.id, QueueId{7});
    EXPECT_EQ(record.sender, "<sender@example.org>");
    EXPECT_EQ(record.outcome, "250 2.0.0 said");
    EXPECT_EQ(fact(record, "site"), "smtp host a.example:25");
    EXPECT_EQ(fact(record, "host"), "a [192.0.2.1]");
  }
  EXPECT_EQ(records[2].recipient, "user2@example.net");
}

TEST(SmtpRecords, TheDialogueStandsOnlyWhereSomethingWentWrong) {
  using enum mail::Disposition;
  const auto records = to_records(job_of({delivered, failed}));
  EXPECT_THAT(records[0].facts, Not(Contains(Field(&Fact::name, "dialogue"))));
  EXPECT_EQ(fact(records[1], "dialogue"), "S: 220 hello | C: EHLO us | S: 550 5.1.1 nobody");
}

TEST(SmtpRecords, NoHostIsNamedWhereNoneSpoke) {
  auto job = job_of({mail::Disposition::deferred});
  job.recipients[0].outcome.remote.clear();
  EXPECT_THAT(to_records(job)[0].facts, Not(Contains(Field(&Fact::name, "host"))));
}

TEST(SmtpRecords, OfALongDialogueTheEndIsKept) {
  auto job = job_of({mail::Disposition::failed});
  job.dialogue.clear();
  for (int i = 0; i < 40; ++i) job.dialogue.push_back("C: line " + std::to_string(i) + std::string(190, 'x'));
  job.dialogue.emplace_back("S: 554 5.0.0 the end");
  const auto text = fact(to_records(job)[0], "dialogue");
  EXPECT_THAT(text, StartsWith("... | C: line "));
  EXPECT_THAT(text, EndsWith(" | S: 554 5.0.0 the end"));
  EXPECT_LE(text.size(), 1010U);
  EXPECT_GT(text.size(), 700U);
}

}  // namespace
}  // namespace sternpost::smtp_client

#include "service/bounce/notice_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sternpost::bounce {
namespace {

using spool_notice::Nobody;
using spool_notice::Written;
using testing::HasSubstr;
using testing::Not;

constexpr WallTime kNow{1'795'248'816'000'001};
constexpr WallTime kUntil{1'795'680'812'000'000};

const config::BounceSlice kSlice{"mx.example.org", 16'384};

spool_notice::Job job_about(std::optional<std::string> sender) {
  spool_notice::Job job;
  job.job = 5;
  job.id = QueueId{31};
  job.notice = QueueId{32};
  job.arrival = WallTime{1'795'248'812'000'000};
  if (sender) job.reverse_path = *mail::Mailbox::from_wire(*sender);
  job.protocol = "ESMTP";
  job.recipients = {{*mail::Mailbox::from_wire("bob@example.net"),
                     {0,
                      mail::Disposition::failed,
                      {550, {5, 1, 1}, "no such mailbox here"},
                      kNow,
                      "mx.example.net [192.0.2.7]"}}};
  job.until = kUntil;
  job.content = "From: alice@example.com\r\nSubject: Lunch\r\n\r\nAt noon?\r\n";
  return job;
}

Written written(spool_notice::Job job) {
  auto answered = answer(std::move(job), kSlice, kNow);
  auto* notice = std::get_if<Written>(&answered);
  if (notice == nullptr) {
    ADD_FAILURE() << std::get<Nobody>(answered).why;
    return {};
  }
  return std::move(*notice);
}

bool is_nobody(spool_notice::Job job) {
  const auto number = job.job;
  const auto answered = answer(std::move(job), kSlice, kNow);
  const auto* nobody = std::get_if<Nobody>(&answered);
  return nobody != nullptr && nobody->job == number && !nobody->why.empty();
}

TEST(NoticeWriter, TellsTheSenderWhatFailedAndWhoSaidSo) {
  const auto notice = written(job_about("alice@example.com"));
  EXPECT_EQ(notice.job, 5U);
  EXPECT_EQ(notice.recipient.to_wire(), "alice@example.com");
  EXPECT_THAT(notice.content, HasSubstr("Reporting-MTA: dns; mx.example.org\r\n"));
  EXPECT_THAT(notice.content, HasSubstr("Final-Recipient: rfc822; bob@example.net\r\n"));
  EXPECT_THAT(notice.content, HasSubstr("Action: failed\r\n"));
  EXPECT_THAT(notice.content, HasSubstr("Remote-MTA: dns; mx.example.net"));
  EXPECT_THAT(notice.content, HasSubstr("550 5.1.1 no such mailbox here"));
  EXPECT_THAT(notice.content, HasSubstr("Subject: Lunch\r\n"));
  EXPECT_THAT(notice.content, Not(HasSubstr("At noon?")));
}

TEST(NoticeWriter, ReturnsNoMoreOfTheHeaderThanAllowed) {
  auto job = job_about("alice@example.com");
  job.content = "Subject: Lunch\r\n";
  for (int i = 0; i < 500; ++i) job.content += "X-Filler: " + std::string(60, 'x') + "\r\n";
  job.content += "X-Last: here\r\n\r\n";
  EXPECT_THAT(written(job).content, Not(HasSubstr("X-Last")));
}

TEST(NoticeWriter, WhatSpoolAsksForFitsIntoAMessage) {
  constexpr std::size_t kSmallest = 64UL * 1024;  // of smtp.max_message
  for (const std::size_t text : {0UL, 30UL, 512UL}) {
    auto job = job_about("alice@example.com");
    job.content = "Subject: Lunch\r\n";
    while (job.content.size() < spool_notice::header_share(kSmallest)) {
      job.content += "X-Filler: " + std::string(60, 'x') + "\r\n";
    }
    job.content.resize(spool_notice::header_share(kSmallest));
    const auto one = job.recipients.front();
    std::size_t bytes = encode(one).size();
    for (std::uint32_t i = 0; bytes <= spool_notice::recipients_share(kSmallest); ++i) {
      auto& recipient = job.recipients.emplace_back();
      recipient.address = *mail::Mailbox::from_wire("u" + std::to_string(i) + "@x.example");
      recipient.last.reply = {550, {5, 0, 0}, std::string(text, 'x')};
      bytes += encode(recipient).size();
    }
    const auto notice = answer(std::move(job), {"mx.example.org", 200UL * 1024}, kNow);
    EXPECT_LT(std::get<Written>(notice).content.size(), kSmallest) << text;
  }
}

TEST(NoticeWriter, AWarningSaysUntilWhenItIsTried) {
  auto job = job_about("alice@example.com");
  job.delayed = true;
  job.recipients[0].last.disposition = mail::Disposition::deferred;
  const auto notice = written(job);
  EXPECT_EQ(notice.recipient.to_wire(), "alice@example.com");
  EXPECT_THAT(notice.content, HasSubstr("Action: delayed\r\n"));
  EXPECT_THAT(notice.content, HasSubstr("Will-Retry-Until: "));
  EXPECT_THAT(written(job_about("alice@example.com")).content, Not(HasSubstr("Will-Retry-Until: ")));
}

TEST(NoticeWriter, WarnsNoRobotsAndNobodyWhoIsNull) {
  auto robot = job_about("alice@example.com");
  robot.delayed = true;
  robot.content = "Auto-Submitted: auto-generated\r\n\r\n";
  EXPECT_TRUE(is_nobody(robot));
  robot.delayed = false;
  EXPECT_EQ(written(robot).recipient.to_wire(), "alice@example.com") << "of a failure it is told";
  auto null = job_about(std::nullopt);
  null.delayed = true;
  EXPECT_TRUE(is_nobody(null));
}

TEST(NoticeWriter, TellsThePostmasterOfANoticeThatFailedOnce) {
  auto job = job_about(std::nullopt);
  job.protocol = spool_notice::kProtocol;
  EXPECT_EQ(written(job).recipient.to_wire(), "postmaster");
  job.protocol = "ESMTP";
  EXPECT_EQ(written(job).recipient.to_wire(), "postmaster") << "a notice of another server";
  job.protocol = spool_notice::kDoubleProtocol;
  EXPECT_TRUE(is_nobody(job));
}

TEST(NoticeWriter, TellsNobodyOfNothing) {
  auto job = job_about("alice@example.com");
  job.recipients.clear();
  EXPECT_TRUE(is_nobody(job));
}

}  // namespace
}  // namespace sternpost::bounce

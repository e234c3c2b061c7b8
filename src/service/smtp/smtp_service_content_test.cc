// Content that lies in a file.
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/checksum.h"
#include "service/smtp/smtp_service_test_rig.h"

namespace sternpost::smtp_client {
namespace {

using mail::Disposition;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

/// More than the kernel holds of a connection that is not read from, and with dots to be doubled.
std::string large_content() {
  std::string content = "Subject: large\r\n\r\n";
  while (content.size() < (16UL << 20U)) content += ".line " + std::to_string(content.size()) + "\r\n";
  return content;
}

std::string without_added_dots(std::string_view wire) {
  std::string content;
  for (char before = '\n'; const char c : wire) {
    const bool added = before == '\n' && c == '.';
    if (!added) content += c;
    before = c;
  }
  return content;
}

TEST_F(SmtpServiceRig, AFileIsReadAnewForTheNextHost) {
  TestServer first(loop);
  TestServer second(loop);
  first.start();
  first.narrow();
  first.most_content = 1;
  first.replies["."] = TestServer::kHangUp;
  second.start();
  start();
  const auto content = large_content();
  hand_file(1, site_of(first, second), content, content.size());
  ASSERT_TRUE(await_outcomes(1));
  const auto outcome = outcomes().at(0);
  for (const auto& one : outcome.recipients) EXPECT_EQ(one.disposition, Disposition::delivered);
  EXPECT_EQ(first.connections, 1U);
  ASSERT_THAT(second.contents, SizeIs(1));
  EXPECT_TRUE(without_added_dots(second.contents[0]) + "\r\n" == content);
}

TEST_F(SmtpServiceRig, AFileThatIsTooShortEndsItsJobBeforeAnybodyIsToldOfIt) {
  TestServer server(loop);
  server.start();
  start();
  hand_file(1, site_of(server), "A: b\r\n\r\n", 9);
  hand(2, site_of(server));
  ASSERT_TRUE(await_outcomes(1));
  ASSERT_THAT(unreadable(), SizeIs(1));
  EXPECT_EQ(unreadable()[0].job, 1U);
  EXPECT_EQ(unreadable()[0].why, "the content of the message ends after 8 of 9 bytes");
  EXPECT_EQ(outcomes()[0].job, 2U);
  EXPECT_THAT(server.contents, SizeIs(1));
  EXPECT_EQ(counter("jobs_in_hand"), 1U) << "the second one's outcome";
}

TEST_F(SmtpServiceRig, AFileThatIsDamagedLaterIsNotDelivered) {
  TestServer server(loop);
  server.start();
  start();
  const auto content = large_content();
  const auto file = hand_file(1, site_of(server), content, content.size());
  ASSERT_TRUE(run_until([&] { return server.connections == 1; }));
  ASSERT_EQ(::pwrite(file->get(), "x", 1, static_cast<off_t>(content.size() / 2)), 1);
  ASSERT_TRUE(await_outcomes(1));
  const auto outcome = outcomes().at(0);
  for (const auto& one : outcome.recipients) {
    EXPECT_EQ(one.disposition, Disposition::deferred);
    EXPECT_EQ(one.reply.status, (mail::EnhancedStatus{4, 3, 0}));
    EXPECT_THAT(one.reply.text, HasSubstr("the content of the message is damaged"));
  }
  settle();
  EXPECT_THAT(server.contents, SizeIs(0)) << "the end was never said";
  EXPECT_EQ(server.open(), 0U);
  EXPECT_THAT(unreadable(), SizeIs(0));
}

TEST_F(SmtpServiceRig, AFileThatThereWasNoDescriptorForIsDeferred) {
  start();
  const std::string content = "A: b\r\n\r\n";
  hand_file(1, "smtp host [127.0.0.1]:25", content, content.size());
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{1, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  EXPECT_TRUE(await_outcomes(1));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(mail::to_string(outcome_of(1).reply),
            "451 4.3.0 no descriptor was left for the content of the message");
  EXPECT_THAT(unreadable(), SizeIs(0));
}

TEST_F(SmtpServiceRig, AnUnexpectedDescriptorClosesTheChannel) {
  start();
  auto job = job_of(1, "smtp host [127.0.0.1]:25", 1);
  job.descriptor = std::make_shared<const UniqueFd>(::memfd_create("content", MFD_CLOEXEC));
  spool->send(job);
  settle();
  EXPECT_THAT(breaches, ElementsAre(Compartment::spool));
}

}  // namespace
}  // namespace sternpost::smtp_client

#include "mail/delivery_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "mail/header.h"

namespace sternpost::mail {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr WallTime kArrival{1'795'248'812'654'321};  // 2026-11-21T08:13:32.654321Z
constexpr WallTime kAttempt{1'795'248'815'000'000};
constexpr WallTime kNow{1'795'248'816'000'001};
constexpr WallTime kUntil{1'795'680'812'000'000};

Mailbox box(std::string_view text) {
  return *Mailbox::from_wire(text);
}

NoticeFacts facts() {
  return {.kind = NoticeKind::failed,
          .reporting_mta = "mx.example.org",
          .id = QueueId{31},
          .notice = QueueId{32},
          .arrival = kArrival,
          .now = kNow,
          .reverse_path = box("alice@example.com"),
          .recipients = {{.address = box("bob@example.net"),
                          .reply = {550, {5, 1, 1}, "no such mailbox here"},
                          .remote = "mx.example.net [192.0.2.7]",
                          .attempted = kAttempt}},
          .will_retry_until = std::nullopt,
          .content =
              "From: Alice <alice@example.com>\r\nSubject: Lunch\r\n"
              "Message-ID: <1@example.com>\r\n\r\nAt noon?\r\n",
          .max_returned_bytes = 16'384};
}

/// What is between the first line that begins with `from` and the next delimiter.
std::string section(const std::string& notice, std::string_view from) {
  const auto begin = notice.find("\r\n" + std::string(from));
  if (begin == std::string::npos) return {};
  return notice.substr(begin + 2, notice.find("\r\n--", begin) - begin - 2);
}

std::string header_of(const std::string& notice) {
  return notice.substr(0, notice.find("\r\n\r\n"));
}

/// CRLF alone ends lines, none is longer than 998 octets, all octets are 7-bit and none is NUL. Said again
/// here, so that the test does not ask the code that it tests.
void expect_well_formed(const std::string& notice) {
  ASSERT_TRUE(notice.ends_with("\r\n"));
  std::size_t column = 0;
  for (std::size_t i = 0; i < notice.size(); ++i) {
    const auto octet = static_cast<unsigned char>(notice[i]);
    ASSERT_TRUE(octet > 0 && octet < 128) << "octet " << unsigned{octet} << " at " << i;
    if (octet == '\n') {
      ASSERT_TRUE(i > 0 && notice[i - 1] == '\r') << "bare LF at " << i;
      column = 0;
      continue;
    }
    if (i > 0 && notice[i - 1] == '\r') FAIL() << "bare CR at " << i - 1;
    ASSERT_LE(++column, 999U) << "long line at " << i;  // with its CR
  }
}

std::size_t count(std::string_view text, std::string_view what) {
  std::size_t n = 0;
  for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, at + what.size())) ++n;
  return n;
}

/// What the notice gives as its boundary is what delimits its parts.
void expect_parts(const std::string& notice, std::size_t parts) {
  const auto at = notice.find("boundary=\"") + 10;
  const auto boundary = notice.substr(at, notice.find('"', at) - at);
  EXPECT_LE(boundary.size(), 70U);
  EXPECT_EQ(count(notice, "\r\n--" + boundary + "\r\n"), parts);
  EXPECT_EQ(count(notice, boundary), parts + 2) << "it occurs in a part";
  EXPECT_TRUE(notice.ends_with("\r\n--" + boundary + "--\r\n"));
}

constexpr std::string_view kFailure =
    "Received: by mx.example.org id 0011;\r\n"
    "\tSat, 21 Nov 2026 08:13:36 +0000\r\n"
    "Date: Sat, 21 Nov 2026 08:13:36 +0000\r\n"
    "From: Mail Delivery System <MAILER-DAEMON@mx.example.org>\r\n"
    "To: alice@example.com\r\n"
    "Subject: Undelivered mail returned to sender\r\n"
    "Message-ID: <0011.1795248816000001@mx.example.org>\r\n"
    "In-Reply-To: <1@example.com>\r\n"
    "References: <1@example.com>\r\n"
    "Auto-Submitted: auto-replied\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
    "\tboundary=\"=_0011.1795248816000001\"\r\n"
    "\r\n"
    "--=_0011.1795248816000001\r\n"
    "Content-Description: Notification\r\n"
    "Content-Type: text/plain; charset=us-ascii\r\n"
    "\r\n"
    "This is the mail system at mx.example.org.\r\n"
    "\r\n"
    "Your message, which came in on Sat, 21 Nov 2026 08:13:32 +0000,\r\n"
    "could not be delivered to this address:\r\n"
    "\r\n"
    "  bob@example.net\r\n"
    "    The host mx.example.net [192.0.2.7] said:\r\n"
    "    > 550 5.1.1 no such mailbox here\r\n"
    "\r\n"
    "It will not be tried again. Other recipients of the message, if it had any, are\r\n"
    "not concerned.\r\n"
    "\r\n"
    "If you ask for help at postmaster@mx.example.org,\r\n"
    "please give this number of the message: 0010\r\n"
    "\r\n"
    "What follows is a report for programs, and the header of the message.\r\n"
    "\r\n"
    "--=_0011.1795248816000001\r\n"
    "Content-Description: Delivery report\r\n"
    "Content-Type: message/delivery-status\r\n"
    "\r\n"
    "Reporting-MTA: dns; mx.example.org\r\n"
    "X-Sternpost-Queue-ID: 0010\r\n"
    "Arrival-Date: Sat, 21 Nov 2026 08:13:32 +0000\r\n"
    "\r\n"
    "Final-Recipient: rfc822; bob@example.net\r\n"
    "Action: failed\r\n"
    "Status: 5.1.1\r\n"
    "Remote-MTA: dns; mx.example.net\r\n"
    "Diagnostic-Code: smtp; 550 5.1.1 no such mailbox here\r\n"
    "Last-Attempt-Date: Sat, 21 Nov 2026 08:13:35 +0000\r\n"
    "\r\n"
    "--=_0011.1795248816000001\r\n"
    "Content-Description: Header of the message\r\n"
    "Content-Type: text/rfc822-headers\r\n"
    "\r\n"
    "From: Alice <alice@example.com>\r\n"
    "Subject: Lunch\r\n"
    "Message-ID: <1@example.com>\r\n"
    "\r\n"
    "--=_0011.1795248816000001--\r\n";

TEST(delivery_status, tells_a_sender_of_a_failure) {
  EXPECT_EQ(compose_notice(facts()), kFailure);
}

TEST(delivery_status, tells_a_sender_of_a_delay) {
  auto delay = facts();
  delay.kind = NoticeKind::delayed;
  delay.will_retry_until = kUntil;
  delay.recipients.front().reply = {451, {4, 4, 1}, "no answer from mx.example.net"};
  delay.recipients.front().remote.clear();
  delay.recipients.push_back({.address = box("carol@example.net"), .attempted = kAttempt});
  const auto notice = compose_notice(delay);
  expect_well_formed(notice);
  EXPECT_THAT(header_of(notice), HasSubstr("\r\nSubject: Delivery of your mail is delayed\r\n"));
  EXPECT_EQ(section(notice, "This is"),
            "This is the mail system at mx.example.org.\r\n"
            "\r\n"
            "Your message, which came in on Sat, 21 Nov 2026 08:13:32 +0000,\r\n"
            "could not yet be delivered to these addresses:\r\n"
            "\r\n"
            "  bob@example.net\r\n"
            "    This mail system says:\r\n"
            "    > 451 4.4.1 no answer from mx.example.net\r\n"
            "\r\n"
            "  carol@example.net\r\n"
            "    No reason is known.\r\n"
            "\r\n"
            "You need not do anything: it will be tried again, and if it cannot be delivered\r\n"
            "in the end, you will be told.\r\n"
            "It will be given up on Thu, 26 Nov 2026 08:13:32 +0000.\r\n"
            "\r\n"
            "If you ask for help at postmaster@mx.example.org,\r\n"
            "please give this number of the message: 0010\r\n"
            "\r\n"
            "What follows is a report for programs, and the header of the message.\r\n");
  EXPECT_EQ(section(notice, "Final-Recipient"),
            "Final-Recipient: rfc822; bob@example.net\r\n"
            "Action: delayed\r\n"
            "Status: 4.4.1\r\n"
            "Diagnostic-Code: x-sternpost; 451 4.4.1 no answer from mx.example.net\r\n"
            "Last-Attempt-Date: Sat, 21 Nov 2026 08:13:35 +0000\r\n"
            "Will-Retry-Until: Thu, 26 Nov 2026 08:13:32 +0000\r\n"
            "\r\n"
            "Final-Recipient: rfc822; carol@example.net\r\n"
            "Action: delayed\r\n"
            "Status: 4.0.0\r\n"
            "Last-Attempt-Date: Sat, 21 Nov 2026 08:13:35 +0000\r\n"
            "Will-Retry-Until: Thu, 26 Nov 2026 08:13:32 +0000\r\n");
}

TEST(delivery_status, tells_the_postmaster_where_there_is_no_sender) {
  auto twice = facts();
  twice.reverse_path = std::nullopt;
  const auto notice = compose_notice(twice);
  expect_well_formed(notice);
  EXPECT_EQ(notice_recipient(twice.reverse_path), box("postmaster"));
  EXPECT_EQ(notice_recipient(box("alice@example.com")), box("alice@example.com"));
  EXPECT_THAT(header_of(notice), HasSubstr("\r\nTo: postmaster@mx.example.org\r\n"
                                           "Subject: Undeliverable notification (double bounce)\r\n"));
  EXPECT_EQ(section(notice, "This is"),
            "This is the mail system at mx.example.org.\r\n"
            "\r\n"
            "A message with an empty sender address, as notifications have it, came in on\r\n"
            "Sat, 21 Nov 2026 08:13:32 +0000. It could not be delivered to this address:\r\n"
            "\r\n"
            "  bob@example.net\r\n"
            "    The host mx.example.net [192.0.2.7] said:\r\n"
            "    > 550 5.1.1 no such mailbox here\r\n"
            "\r\n"
            "It will not be tried again. As it has no sender who could be told, you are told\r\n"
            "as the postmaster.\r\n"
            "\r\n"
            "The number of the message in the queue was: 0010\r\n"
            "\r\n"
            "What follows is a report for programs, and the header of the message.\r\n");
}

TEST(delivery_status, lets_no_reply_write_fields_or_lines) {
  using namespace std::string_literals;
  auto hostile = facts();
  hostile.recipients.front().reply.text = "no\r\nAction: delivered\r\n\r\nX\0Y\x1b[31m\xc3\xa4\tz\n"s;
  const auto notice = compose_notice(hostile);
  expect_well_formed(notice);
  expect_parts(notice, 3);
  EXPECT_EQ(count(notice, "\r\nAction: "), 1U);
  EXPECT_THAT(notice,
              HasSubstr("Diagnostic-Code: smtp; 550 5.1.1 no??Action: delivered????X?Y?[31m?? z?\r\n"));
  EXPECT_THAT(notice, HasSubstr("    > 550 5.1.1 no??Action: delivered????X?Y?[31m?? z?\r\n"));
}

TEST(delivery_status, folds_a_long_reply_and_cuts_one_beyond_512_octets) {
  auto wordy = facts();
  wordy.recipients.front().reply.text.clear();
  for (int i = 0; i < 128; ++i) wordy.recipients.front().reply.text += "abc ";
  const auto notice = compose_notice(wordy);
  expect_well_formed(notice);
  const auto report = section(notice, "Diagnostic-Code");
  EXPECT_GT(count(report, "\r\n abc"), 5U);
  for (std::size_t begin = 0, end = 0; (end = report.find("\r\n", begin)) != std::string::npos;
       begin = end + 2) {
    EXPECT_LE(end - begin, 76U);
  }
  HeaderReader reader(report);
  EXPECT_EQ(unfold(reader.next()->value),
            "smtp; 550 5.1.1 " + wordy.recipients.front().reply.text.substr(0, 511));

  wordy.recipients.front().reply.text = std::string(512, 'w');
  EXPECT_THAT(compose_notice(wordy), HasSubstr(" " + std::string(512, 'w') + "\r\n"));
  wordy.recipients.front().reply.text = std::string(513, 'w');
  const auto cut = compose_notice(wordy);
  expect_well_formed(cut);
  EXPECT_THAT(cut, HasSubstr(" " + std::string(512, 'w') + "...\r\n"));
}

TEST(delivery_status, quotes_odd_local_parts) {
  auto odd = facts();
  odd.reverse_path = box(R"("Al \"Q\" Ice"@example.com)");
  odd.recipients = {{.address = box(R"("a b;c"@[192.0.2.1])"), .attempted = kAttempt},
                    {.address = box("Postmaster"), .attempted = kAttempt},
                    {.address = box("\"" + std::string(62, ' ') + "\"@" + std::string(63, 'd') + ".example"),
                     .attempted = kAttempt}};
  const auto notice = compose_notice(odd);
  expect_well_formed(notice);
  EXPECT_THAT(notice, HasSubstr("\r\nTo: \"Al \\\"Q\\\" Ice\"@example.com\r\n"));
  EXPECT_THAT(notice, HasSubstr("\r\nFinal-Recipient: rfc822; \"a b;c\"@[192.0.2.1]\r\n"));
  EXPECT_THAT(notice, HasSubstr("\r\nFinal-Recipient: rfc822; postmaster@mx.example.org\r\n"));
  EXPECT_THAT(notice, HasSubstr("rfc822; \"" + std::string(62, ' ') + "\"@ddd"));
}

TEST(delivery_status, answers_only_a_plain_message_id) {
  const auto answered = [](std::string_view header) {
    auto about = facts();
    about.content = header;
    const auto notice = compose_notice(about);
    expect_well_formed(notice);
    return header_of(notice).contains("In-Reply-To: ");
  };
  const auto of_length = [](std::size_t n) {
    return "Message-ID: <" + std::string(n - 6, 'a') + "@b.c>\r\n";
  };
  EXPECT_TRUE(answered("message-id:\r\n <a.b$c@[192.0.2.1]>\r\n\r\n"));
  EXPECT_TRUE(answered(of_length(250)));
  EXPECT_FALSE(answered(of_length(251)));
  for (const auto* header :
       {"", "Message-ID:\r\n", "Message-ID: <a@b>\r\nMessage-ID: <c@d>\r\n", "Message-ID: <a@b> x\r\n",
        "Message-ID: <@b>\r\n", "Message-ID: <a@>\r\n", "Message-ID: <a>\r\n", "Message-ID: <a@b@c>\r\n",
        "Message-ID: <a b@c>\r\n", "Message-ID: <\"a\"@c>\r\n", "Message-ID: <a@b\xc3\xa4>\r\n",
        "\r\nMessage-ID: <a@b>\r\n"}) {
    EXPECT_FALSE(answered(header)) << header;
  }
}

TEST(delivery_status, finds_a_boundary_that_no_part_has) {
  auto forged = facts();
  const std::string base = "=_0011.1795248816000001";
  const auto header = "X: --" + base + "--\r\nY: " + base + ".1\r\nZ: " + base + ".23\r\n\r\n";
  forged.content = header;
  forged.recipients.front().reply.text = base + ".3";
  const auto notice = compose_notice(forged);
  expect_well_formed(notice);
  expect_parts(notice, 3);
  EXPECT_THAT(notice, HasSubstr("boundary=\"" + base + ".4\""));
}

TEST(delivery_status, encodes_a_header_that_is_not_seven_bit) {
  auto raw = facts();
  raw.content = "Subject: gr\xc3\xbcn =\r\nX: a\nY: b\r\n\r\nbody\r\n";
  const auto notice = compose_notice(raw);
  expect_well_formed(notice);
  expect_parts(notice, 3);
  EXPECT_EQ(section(notice, "Content-Description: Header"),
            "Content-Description: Header of the message\r\n"
            "Content-Type: text/rfc822-headers\r\n"
            "Content-Transfer-Encoding: quoted-printable\r\n"
            "\r\n"
            "Subject: gr=C3=BCn =3D\r\n"
            "X: a=0AY: b\r\n");
  for (const auto& header : {std::string("X: a\rb\r\n"), std::string("X: \0\r\n", 6),
                             "X: " + std::string(996, 'x') + "\r\n", std::string("X: a\r")}) {
    raw.content = header;
    const auto encoded = compose_notice(raw);
    expect_well_formed(encoded);
    EXPECT_THAT(encoded, HasSubstr("quoted-printable"));
  }
}

TEST(delivery_status, returns_whole_fields_up_to_the_bound) {
  auto about = facts();
  about.content = "A: 1\r\nB: 2\r\n\tmore\r\nC: 3\r\n\r\nbody\r\n";
  const auto returned = [&about](std::size_t most) {
    about.max_returned_bytes = most;
    const auto notice = compose_notice(about);
    expect_well_formed(notice);
    const auto part = section(notice, "A: 1");
    EXPECT_EQ(notice.contains("which is longer than what is returned"), part.size() < 25) << most;
    EXPECT_EQ(notice.contains("Content-Description: Beginning of the header"), part.size() < 25) << most;
    EXPECT_THAT(notice, Not(HasSubstr("body")));
    return part;
  };
  EXPECT_EQ(returned(100), "A: 1\r\nB: 2\r\n\tmore\r\nC: 3\r\n");
  EXPECT_EQ(returned(25), "A: 1\r\nB: 2\r\n\tmore\r\nC: 3\r\n");
  EXPECT_EQ(returned(24), "A: 1\r\nB: 2\r\n\tmore\r\n");
  EXPECT_EQ(returned(18), "A: 1\r\n");
}

TEST(delivery_status, returns_lines_of_a_first_field_beyond_the_bound) {
  auto about = facts();
  about.content = "A: 1\r\n\t2\r\n\t3\r\nB: 4\r\n\r\n";
  about.max_returned_bytes = 12;
  EXPECT_EQ(section(compose_notice(about), "A: 1"), "A: 1\r\n\t2\r\n");
  about.max_returned_bytes = 3;
  EXPECT_THAT(compose_notice(about), HasSubstr("\r\n\r\nA: \r\n--"));
  about.max_returned_bytes = 0;
  expect_parts(compose_notice(about), 2);
}

TEST(delivery_status, bounds_a_header_of_any_length) {
  auto vast = facts();
  std::string content;
  while (content.size() < 1024UL * 1024) content += "X-Field: " + std::string(60, 'x') + "\r\n";
  vast.content = content;
  const auto some = compose_notice(vast);
  expect_well_formed(some);
  EXPECT_LT(some.size(), vast.max_returned_bytes + 3000);
  EXPECT_THAT(some, HasSubstr("xxx\r\n\r\n--"));

  vast.max_returned_bytes = static_cast<std::size_t>(-1);
  const std::string one_field = "X: " + std::string(3UL * 1024 * 1024, 'x');
  vast.content = one_field;
  const auto most = compose_notice(vast);
  expect_well_formed(most);
  EXPECT_LT(most.size(), 1'100'000U);
  EXPECT_THAT(most, HasSubstr("Beginning of the header"));
}

TEST(delivery_status, does_without_a_header) {
  for (const auto* content : {"", "\r\n", "\r\nbody\r\n", "no header\r\nbut text\r\n"}) {
    auto bare = facts();
    bare.content = content;
    const auto notice = compose_notice(bare);
    expect_well_formed(notice);
    expect_parts(notice, 2);
    EXPECT_THAT(notice, HasSubstr("What follows is a report for programs.\r\n"));
    EXPECT_THAT(notice, Not(HasSubstr("text/rfc822-headers")));
  }
}

TEST(delivery_status, reports_every_recipient_and_names_a_hundred) {
  auto many = facts();
  for (const std::size_t n : {100UL, 101UL, 1000UL, 1001UL}) {
    many.recipients.assign(n, many.recipients.front());
    const auto notice = compose_notice(many);
    expect_well_formed(notice);
    EXPECT_EQ(count(notice, "\r\n  bob@example.net\r\n"), 100U);
    EXPECT_EQ(count(notice, "\r\n\r\nFinal-Recipient: rfc822; bob@example.net\r\n"), n);
    const auto rest = "\r\n  and " + std::to_string(n - 100) + " more, which are in the report below\r\n";
    EXPECT_EQ(notice.contains(rest), n > 100);
  }
}

TEST(delivery_status, keeps_a_strange_hostname_harmless) {
  auto strange = facts();
  strange.reporting_mta = "mx\r\nBcc: x@y\xff\"" + std::string(1000, 'a');
  const auto notice = compose_notice(strange);
  expect_well_formed(notice);
  expect_parts(notice, 3);
  EXPECT_THAT(notice, Not(HasSubstr("\r\nBcc")));
}

TEST(delivery_status, is_well_formed_whatever_it_is_about) {
  std::mt19937 random(4711);
  constexpr std::string_view kOften = "\r\n\r\n::  \t-=A\xe4";
  const auto octets = [&random, kOften](std::size_t most) {
    std::string text(random() % (most + 1), '\0');
    for (char& c : text) {
      c = random() % 2 == 0 ? kOften[random() % kOften.size()] : static_cast<char>(random());
    }
    return text;
  };
  for (int round = 0; round < 2000; ++round) {
    auto any = facts();
    any.kind = random() % 2 == 0 ? NoticeKind::failed : NoticeKind::delayed;
    auto& recipient = any.recipients.front();
    recipient.reply = {static_cast<ReplyCode>(random()),
                       {static_cast<std::uint8_t>(random()), static_cast<std::uint16_t>(random()),
                        static_cast<std::uint16_t>(random())},
                       octets(600)};
    recipient.remote = octets(400);
    recipient.attempted.microseconds = static_cast<std::int64_t>(random() * 0x1'0000'0001ULL);
    const auto content = "Subject: " + octets(2000);
    any.content = content;
    any.max_returned_bytes = random() % 1000;
    const auto notice = compose_notice(any);
    expect_well_formed(notice);
    expect_parts(notice, any.max_returned_bytes == 0 ? 2 : 3);
    EXPECT_EQ(count(notice, "\r\nFinal-Recipient: "), 1U);
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace sternpost::mail

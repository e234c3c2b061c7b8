#include "mail/trace.h"

#include <gtest/gtest.h>

#include "mail/date.h"
#include "mail/header.h"

namespace sternpost::mail {
namespace {

constexpr WallTime kNow{1'795'248'812'654'321};  // 2026-11-21T08:13:32.654321Z

TEST(date, is_written_as_rfc_5322_says) {
  EXPECT_EQ(to_rfc5322(kNow), "Sat, 21 Nov 2026 08:13:32 +0000");
  EXPECT_EQ(to_rfc5322({0}), "Thu, 01 Jan 1970 00:00:00 +0000");
  EXPECT_EQ(to_rfc5322({-1}), "Wed, 31 Dec 1969 23:59:59 +0000");
  EXPECT_EQ(to_rfc5322({1'709'164'800'000'000}), "Thu, 29 Feb 2024 00:00:00 +0000");
}

TEST(date, stays_within_four_digits_of_year) {
  EXPECT_EQ(to_rfc5322({std::numeric_limits<std::int64_t>::max()}), "Fri, 31 Dec 9999 23:59:59 +0000");
  EXPECT_EQ(to_rfc5322({std::numeric_limits<std::int64_t>::min()}), "Mon, 01 Jan 0001 00:00:00 +0000");
}

TraceFacts facts() {
  return {.helo = "client.example",
          .client_address = "192.0.2.1",
          .by = "mx.example.org",
          .with = "ESMTP",
          .id = QueueId{31},
          .at = kNow};
}

TEST(trace, names_the_only_recipient) {
  const auto bob = *Mailbox::from_wire("bob@example.org");
  auto one = facts();
  one.recipient = &bob;
  EXPECT_EQ(received_field(one),
            "Received: from client.example ([192.0.2.1])\r\n\tby mx.example.org with ESMTP id 0010\r\n"
            "\tfor <bob@example.org>; Sat, 21 Nov 2026 08:13:32 +0000\r\n");
}

TEST(trace, names_none_of_several) {
  auto several = facts();
  several.client_address = "2001:db8::1";
  several.helo = "";
  EXPECT_EQ(received_field(several),
            "Received: from unknown ([IPv6:2001:db8::1])\r\n\tby mx.example.org with ESMTP id 0010;\r\n"
            "\tSat, 21 Nov 2026 08:13:32 +0000\r\n");
}

TEST(trace, lets_no_client_write_into_it) {
  auto forged = facts();
  const std::string evil = "x\r\nBcc: y@z (\0;\xff" + std::string(1000, 'a');
  forged.helo = evil;
  const auto field = received_field(forged);
  EXPECT_EQ(count_received(field), 1U);
  HeaderReader reader(field);
  ASSERT_TRUE(reader.next());
  EXPECT_FALSE(reader.next());
  EXPECT_EQ(field.find_first_of("(;"), field.find(" ([") + 1);
  EXPECT_LT(field.size(), 600U);
}

}  // namespace
}  // namespace sternpost::mail

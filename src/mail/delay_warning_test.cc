#include "mail/delay_warning.h"

#include <gtest/gtest.h>

#include <string>

namespace sternpost::mail {
namespace {

TEST(delay_warning, tells_people_alone_of_a_delay) {
  const auto alice = Mailbox::from_wire("alice@example.com");
  EXPECT_FALSE(should_warn(std::nullopt, "Subject: x\r\n\r\n"));
  for (const auto* content : {"", "Subject: x\r\n\r\n", "Auto-Submitted: no\r\n\r\n",
                              "auto-submitted: NO (by hand)\r\n\r\n", "Precedence: first-class\r\n\r\n",
                              "Subject: List-Id: x\r\n\r\nList-Id: <x>\r\nPrecedence: bulk\r\n"}) {
    EXPECT_TRUE(should_warn(alice, content)) << content;
  }
  for (const auto* content :
       {"Auto-Submitted: auto-generated\r\n\r\n", "AUTO-SUBMITTED:\r\n auto-replied; x=y\r\n\r\n",
        "Auto-Submitted:\r\n\r\n", "Precedence: Bulk\r\n\r\n", "Precedence: list \r\n\r\n",
        "Precedence: junk\n\n", "Subject: x\r\nlist-id: Talk <talk.example.org>\r\n\r\n"}) {
    EXPECT_FALSE(should_warn(alice, content)) << content;
  }
}

TEST(delay_warning, reads_a_bounded_header) {
  const auto alice = Mailbox::from_wire("alice@example.com");
  std::string fields;
  for (int i = 0; i < 9'999; ++i) fields += "X: y\r\n";
  EXPECT_FALSE(should_warn(alice, fields + "List-Id: <x>\r\n\r\n"));
  EXPECT_TRUE(should_warn(alice, fields + "X: y\r\nList-Id: <x>\r\n\r\n"));
}

}  // namespace
}  // namespace sternpost::mail

// A dialog that is wrong must fail: one for each thing that can be expected.
#include "dialog_runner.h"

#include <gtest/gtest.h>

#include <string>

#include "dialog.h"

namespace sternpost::dialogs {
namespace {

const std::string kMessage =
    "S: 220 ...\n"
    "C: EHLO client.example\n"
    "S: 250-mx.example.org\nS: 250-...\nS: 250-...\nS: 250-...\nS: 250 ...\n"
    "C: MAIL FROM:<a@example.net>\nS: 250 2.1.0 Ok\n"
    "C: RCPT TO:<bob@example.org>\nS: 250 2.1.5 Ok\n"
    "C: DATA\nS: 354 ...\n"
    "C: hello\nC: .\nS: 250 2.0.0 ...\n";

std::optional<std::string> outcome(const std::string& more) {
  return Runner(Delivery::grouped).run(parse_dialog(kMessage + more));
}

TEST(dialog_runner, is_content_with_what_holds) {
  EXPECT_EQ(outcome("open\nreading\ncommitted 1\nfrom <a@example.net>\nto <bob@example.org>\nwith ESMTP\n"
                    "helo client.example\nbody 7BIT\nM: hello\nT: Received: ...\n"),
            std::nullopt);
}

TEST(dialog_runner, complains_of_what_does_not_hold) {
  for (const char* wrong :
       {"closed\n", "not-reading\n", "committed 0\n", "abandoned 1\n", "pieces 1\n", "from <>\n",
        "to <bob@example.com>\n", "with SMTP\n", "helo x\n", "body 8BITMIME\n", "rule x\n", "M: hallo\n",
        "M: hello\nM: more\n", "T: Subject: x\n", "S: 250 more\n", "C: NOOP\n", "C: NOOP\nS: 251 2.0.0 Ok\n",
        "C: NOOP\nC: NOOP\nS: 250 2.0.0 Ok\n"}) {
    EXPECT_NE(outcome(wrong), std::nullopt) << wrong;
  }
}

TEST(dialog_runner, complains_of_what_it_cannot_read) {
  for (const char* wrong : {"frobnicate\n", "X: \\q\n", "X: \\{3x}\n", "X: \\x1\n", "limit errors 1\n",
                            "event rain\n", "event committed\n", "event verdict x@y 250 2.0.0 Ok\n",
                            "recipient x@y perhaps\n", "ids refused 451\n"}) {
    EXPECT_NE(outcome(wrong), std::nullopt) << wrong;
  }
}

TEST(dialog, escapes_are_octets) {
  EXPECT_EQ(unescape(R"(a\r\n\t\0\\\xff\{3*ab}\{2*\r\n})").value(),
            std::string("a\r\n\t\0\\\xff", 7) + "ababab\r\n\r\n");
}

}  // namespace
}  // namespace sternpost::dialogs

#include "base/printable.h"

#include <gtest/gtest.h>

namespace sternpost {
namespace {

TEST(Printable, LeavesPrintableAsciiAlone) {
  EXPECT_EQ(printable("a <b@c> \"d\""), "a <b@c> \"d\"");
}

TEST(Printable, EscapesWhatATerminalObeys) {
  using namespace std::string_view_literals;
  EXPECT_EQ(printable("\x1b[31m\r\n\0\x7f"sv), "\\x1b[31m\\x0d\\x0a\\x00\\x7f");
}

TEST(Printable, EscapesEveryOctetBeyondAscii) {
  EXPECT_EQ(printable("\xc3\xa9\xff"), "\\xc3\\xa9\\xff");
}

TEST(Printable, DoublesTheBackslashSoThatEscapesAreUnambiguous) {
  EXPECT_EQ(printable("\\x00"), "\\\\x00");
}

TEST(Printable, CutsLongText) {
  EXPECT_EQ(printable("abcdef", 3), "abc...");
}

}  // namespace
}  // namespace sternpost

#include "config/units.h"

#include <gtest/gtest.h>

namespace sternpost::config {
namespace {

TEST(Units, ReadSizesWithAndWithoutUnit) {
  EXPECT_EQ(parse_size("4096"), 4096U);
  EXPECT_EQ(parse_size("64 KiB"), 65'536U);
  EXPECT_EQ(parse_size("25MiB"), 26'214'400U);
  EXPECT_EQ(parse_size("1 gb"), 1'000'000'000U);
  EXPECT_EQ(parse_size("16777215 TiB"), 16'777'215ULL << 40U);
}

TEST(Units, RefuseWhatIsNoSize) {
  for (const auto* text : {"", " 5", "-5", "+5", "5 parsecs", "1.5 MiB", "MiB", "5 MiB 3", "0x10", "5\n"}) {
    EXPECT_FALSE(parse_size(text)) << text;
  }
}

TEST(Units, RefuseSizesBeyond64Bits) {
  EXPECT_EQ(parse_size("18446744073709551615"), ~0ULL);
  EXPECT_FALSE(parse_size("18446744073709551616"));
  EXPECT_FALSE(parse_size("16777216 TiB"));
  EXPECT_FALSE(parse_size(std::string(100, '1')));
}

TEST(Units, ReadDurationsAsMilliseconds) {
  EXPECT_EQ(parse_duration("90"), 90'000U);
  EXPECT_EQ(parse_duration("500ms"), 500U);
  EXPECT_EQ(parse_duration("5m"), 300'000U);
  EXPECT_EQ(parse_duration("5 min"), 300'000U);
  EXPECT_EQ(parse_duration("1h30m"), 5'400'000U);
  EXPECT_EQ(parse_duration("1 d 2 h"), 93'600'000U);
  EXPECT_EQ(parse_duration("1w"), 604'800'000U);
}

TEST(Units, RefuseWhatIsNoDuration) {
  for (const auto* text : {"", "s", "5x", "5m 5", "30m1h", "5m5m", "5m5min", "1.5h", "-1s", "1 h,", " 1h"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Units, RefuseDurationsBeyond64Bits) {
  EXPECT_FALSE(parse_duration("18446744073709551615"));
  EXPECT_FALSE(parse_duration("18446744073709551615ms1ms"));
  EXPECT_FALSE(parse_duration("99999999999999w"));
}

TEST(Units, PrintWhatTheyReadBack) {
  for (const std::uint64_t size : {0ULL, 1ULL, 1000ULL, 4096ULL, 25ULL << 20U, (25ULL << 20U) + 1, ~0ULL}) {
    EXPECT_EQ(parse_size(format_size(size)), size);
  }
  for (const std::uint64_t time : {0ULL, 1ULL, 999ULL, 5'400'000ULL, 90'061'001ULL}) {
    EXPECT_EQ(parse_duration(format_duration(time)), time);
  }
  EXPECT_EQ(format_size(26'214'400), "25 MiB");
  EXPECT_EQ(format_duration(5'400'000), "1h30m");
}

}  // namespace
}  // namespace sternpost::config

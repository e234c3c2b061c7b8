#include "base/queue_id.h"

#include <gtest/gtest.h>

#include <limits>

namespace sternpost {
namespace {

TEST(queue_id, prints_short_and_reads_back) {
  for (const std::uint64_t value : {1ULL, 30ULL, 31ULL, 923520ULL, 923521ULL, 1ULL << 40,
                                    std::numeric_limits<unsigned long long>::max()}) {
    const auto text = to_string(QueueId{value});
    EXPECT_LE(text.size(), 13U);
    EXPECT_GE(text.size(), 4U);
    EXPECT_EQ(parse_queue_id(text), QueueId{value}) << text;
  }
}

TEST(queue_id, refuses_what_no_id_prints_as) {
  for (const auto* text : {"", "1", "0000", "00001", "000a", "000B", "zzzzzzzzzzzzz", "00000000000001"}) {
    EXPECT_FALSE(parse_queue_id(text)) << text;
  }
}

}  // namespace
}  // namespace sternpost

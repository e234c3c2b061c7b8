#include "base/checksum.h"

#include <gtest/gtest.h>

#include <string>

namespace sternpost {
namespace {

TEST(checksum, of_pieces_is_that_of_the_whole_wherever_they_are_cut) {
  std::string whole;
  for (unsigned i = 0; i < 3000; ++i) whole.push_back(static_cast<char>(i * 7));
  for (const std::size_t cut : {0UL, 1UL, 63UL, 64UL, 255UL, 256UL, 1024UL, 2999UL, 3000UL}) {
    RunningChecksum running(17);
    running.add(std::string_view(whole).substr(0, cut));
    EXPECT_EQ(running.value(), checksum(std::string_view(whole).substr(0, cut), 17));
    running.add(std::string_view(whole).substr(cut));
    EXPECT_EQ(running.value(), checksum(whole, 17));
    EXPECT_NE(running.value(), checksum(whole, 18)) << "the seed counts";
  }
}

}  // namespace
}  // namespace sternpost

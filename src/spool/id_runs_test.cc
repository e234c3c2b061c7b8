#include "spool/id_runs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sternpost::spool {
namespace {

std::vector<std::uint64_t> take_all(IdRuns& runs) {
  std::vector<std::uint64_t> taken;
  while (const auto id = runs.take()) taken.push_back(id->value);
  return taken;
}

TEST(id_runs, gives_what_was_added_in_any_order_by_rising_id_and_once) {
  IdRuns runs;
  EXPECT_TRUE(runs.empty());
  runs.add({{5}, {2}, {9}});
  runs.add({});
  runs.add({{12}, {10}});
  runs.add({{11}, {2}, {1}, {12}});
  EXPECT_FALSE(runs.empty());
  EXPECT_THAT(take_all(runs), testing::ElementsAre(1, 2, 5, 9, 10, 11, 12));
  EXPECT_TRUE(runs.empty());
}

}  // namespace
}  // namespace sternpost::spool

#include "spool/id_set.h"

#include <gtest/gtest.h>

namespace sternpost::spool {
namespace {

TEST(id_set, holds_what_was_inserted_in_any_order) {
  IdSet set(100);
  for (const std::uint64_t id : {5U, 3U, 4U, 9U, 1U, 5U}) set.insert({id});
  for (const std::uint64_t id : {1U, 3U, 4U, 5U, 9U}) EXPECT_TRUE(set.contains({id})) << id;
  for (const std::uint64_t id : {0U, 2U, 6U, 8U, 10U}) EXPECT_FALSE(set.contains({id})) << id;
}

TEST(id_set, erases_at_the_ends_of_a_run_and_inside) {
  IdSet set(100);
  for (std::uint64_t id = 1; id <= 9; ++id) set.insert({id});
  for (const std::uint64_t id : {1U, 5U, 9U, 5U, 20U}) set.erase({id});
  for (const std::uint64_t id : {2U, 3U, 4U, 6U, 7U, 8U}) EXPECT_TRUE(set.contains({id})) << id;
  for (const std::uint64_t id : {1U, 5U, 9U}) EXPECT_FALSE(set.contains({id})) << id;
  set.insert({5});
  EXPECT_TRUE(set.contains({5}));
  for (std::uint64_t id = 2; id <= 8; ++id) set.erase({id});
  EXPECT_FALSE(set.contains({4}));
}

TEST(id_set, takes_one_interval_for_a_run) {
  IdSet set(1);
  for (std::uint64_t id = 100; id < 200; id += 2) set.insert({id});
  EXPECT_FALSE(set.contains({100}));  // runs of one: only the last is kept
  for (std::uint64_t id = 300; id < 1000; ++id) set.insert({id});
  EXPECT_TRUE(set.contains({300}));
  EXPECT_TRUE(set.contains({999}));
}

TEST(id_set, forgets_the_lowest_runs_beyond_its_bound) {
  IdSet set(2);
  for (const std::uint64_t id : {10U, 20U, 30U}) set.insert({id});
  EXPECT_FALSE(set.contains({10}));
  EXPECT_TRUE(set.contains({20}));
  EXPECT_TRUE(set.contains({30}));
}

}  // namespace
}  // namespace sternpost::spool

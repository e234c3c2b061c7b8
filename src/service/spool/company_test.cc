#include "service/spool/company.h"

#include <gtest/gtest.h>

namespace sternpost::spool_service {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

TEST(company, is_given_one_turn_before_the_first_commit) {
  Company company;
  EXPECT_TRUE(company.gives_way());
  company.gave_way(milliseconds(1));
  EXPECT_FALSE(company.gives_way()) << "how long a commit takes is not known yet";
}

TEST(company, is_waited_for_as_long_as_the_last_commit_took) {
  Company company;
  company.committed(microseconds(300));
  for (int turn = 0; turn < 3; ++turn) {
    EXPECT_TRUE(company.gives_way());
    company.gave_way(microseconds(100));
  }
  EXPECT_FALSE(company.gives_way());
}

TEST(company, is_not_waited_for_where_nobody_else_has_work) {
  Company company;
  company.committed(microseconds(300));
  EXPECT_TRUE(company.gives_way());
  company.gave_way(microseconds(1));
  EXPECT_FALSE(company.gives_way());
}

TEST(company, is_asked_for_anew_after_each_commit) {
  Company company;
  company.committed(microseconds(300));
  company.gave_way(microseconds(1));
  company.committed(microseconds(300));
  EXPECT_TRUE(company.gives_way());
}

TEST(company, is_not_waited_for_long_where_the_disk_is_slow) {
  Company company;
  company.committed(milliseconds(500));
  company.gave_way(Company::kMost);
  EXPECT_FALSE(company.gives_way());
}

}  // namespace
}  // namespace sternpost::spool_service

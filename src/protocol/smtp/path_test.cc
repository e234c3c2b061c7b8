#include "protocol/smtp/path.h"

#include <gtest/gtest.h>

namespace sternpost::smtp {
namespace {

TEST(path, is_split_from_its_parameters) {
  const auto path = split_path("from:<a@b> SIZE=1  BODY=7BIT ", "FROM:");
  ASSERT_TRUE(path);
  EXPECT_EQ(path->inside, "a@b");
  EXPECT_EQ(path->parameters, "SIZE=1  BODY=7BIT");
  EXPECT_EQ(split_path("FROM: <>", "FROM:")->inside, "");
}

TEST(path, may_have_brackets_in_quotes) {
  EXPECT_EQ(split_path(R"(TO:<"a>b\">"@c> X)", "TO:")->inside, R"("a>b\">"@c)");
  EXPECT_FALSE(split_path(R"(TO:<"a>b@c>)", "TO:"));
}

TEST(path, loses_its_source_route) {
  EXPECT_EQ(split_path("TO:<@a,@b.c:d@e>", "TO:")->inside, "d@e");
  EXPECT_EQ(split_path("TO:<@[192.0.2.1],@[IPv6:::1]:d@e>", "TO:")->inside, "d@e");
  for (const char* text :
       {"TO:<@a>", "TO:<@a:>", "TO:<@a,b:c@d>", "TO:<@:c@d>", "TO:<@a,:c@d>", "TO:<@[1:c@d>", "TO:<@"}) {
    EXPECT_FALSE(split_path(text, "TO:")) << text;
  }
}

TEST(path, needs_brackets_and_a_space_behind_them) {
  for (const char* text : {"", "TO", "TO:", "TO:a@b", "TO:<a@b", "TO <a@b>", "TO:<a@b>x", "FROM:<a@b>"}) {
    EXPECT_FALSE(split_path(text, "TO:")) << text;
  }
}

TEST(parameters, are_taken_one_by_one) {
  std::string_view text = "SIZE=10 X BODY=8BITMIME";
  auto parameter = take_parameter(text);
  ASSERT_TRUE(parameter);
  EXPECT_EQ(parameter->keyword, "SIZE");
  EXPECT_EQ(parameter->value, "10");
  parameter = take_parameter(text);
  ASSERT_TRUE(parameter);
  EXPECT_EQ(parameter->keyword, "X");
  EXPECT_FALSE(parameter->value);
  EXPECT_TRUE(take_parameter(text));
  EXPECT_EQ(text, "");
}

TEST(parameters, have_a_syntax) {
  for (const char* malformed : {"", "=", "=1", "-a=1", "a=", "a=b=c", "a_b=1", "a=\x7f", "a=\xff", "a\x01"}) {
    std::string_view text = malformed;
    EXPECT_FALSE(take_parameter(text)) << malformed;
  }
}

}  // namespace
}  // namespace sternpost::smtp

#include "config/reference.h"

#include <gtest/gtest.h>

#include "config/registry.h"

namespace sternpost::config {
namespace {

TEST(Reference, HasEveryParameter) {
  const auto markdown = reference_markdown();
  const auto manual = configuration_manual();
  for (const auto* parameter : registry()) {
    EXPECT_NE(markdown.find("### `" + std::string(parameter->key) + "`"), std::string::npos)
        << parameter->key;
    EXPECT_NE(manual.find(".B " + troff_text(parameter->key)), std::string::npos) << parameter->key;
  }
}

TEST(Reference, ShowsTheDefaultsOfTheSetups) {
  EXPECT_EQ(describe_default(*find_parameter("smtp.max_message")), "\"25 MiB\"; local-only: \"10 MiB\"");
  EXPECT_EQ(describe_default(*find_parameter("domains")), "none; local-only: the hostname");
}

TEST(Troff, LeavesNothingToInterpret) {
  EXPECT_EQ(troff_text(".SH x\n'y\\z-\"q\""), "\\&.SH x\n\\&'y\\ez\\-\\(dqq\\(dq");
}

}  // namespace
}  // namespace sternpost::config

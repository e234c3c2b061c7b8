#include "config/registry.h"

#include <gtest/gtest.h>

#include <set>

#include "config/read_value.h"
#include "config/setups.h"

namespace sternpost::config {
namespace {

TEST(Registry, NamesEveryKeyOnce) {
  std::set<std::string_view> keys;
  for (const auto* parameter : registry()) EXPECT_TRUE(keys.insert(parameter->key).second) << parameter->key;
}

TEST(Registry, HasNoParameterThatIsAlsoASection) {
  for (const auto* parameter : registry()) EXPECT_FALSE(is_section(parameter->key)) << parameter->key;
}

TEST(Registry, ReadsItsOwnDefaults) {
  for (const auto* parameter : registry()) {
    if (parameter->required) continue;
    EXPECT_TRUE(read_default(*parameter, parameter->initial)) << parameter->key;
  }
}

TEST(Registry, ReadsTheDefaultsOfEverySetup) {
  for (const auto setup : split_words(find_parameter("setup")->choices)) {
    for (const auto* parameter : registry()) {
      const auto preset = setup_default(setup, parameter->key);
      if (!preset || *preset == "$hostname") continue;
      EXPECT_TRUE(read_default(*parameter, *preset)) << setup << ' ' << parameter->key;
    }
  }
}

TEST(Registry, SaysOfEveryParameterWhatPeopleNeedToKnow) {
  for (const auto* parameter : registry()) {
    EXPECT_TRUE(parameter->summary.ends_with('.')) << parameter->key;
    EXPECT_FALSE(expectation(*parameter).empty()) << parameter->key;
    EXPECT_TRUE(parameter->key == "setup" || !parameter->seen_by.empty()) << parameter->key;
    EXPECT_LE(parameter->bounds.least, parameter->bounds.most) << parameter->key;
  }
}

TEST(NearestKey, FindsTypingErrors) {
  EXPECT_EQ(nearest_key("hostnam"), "hostname");
  EXPECT_EQ(nearest_key("smtp.max_mesage"), "smtp.max_message");
  EXPECT_EQ(nearest_key("domain"), "domains");
}

TEST(NearestKey, FindsTheRightNameInTheWrongTable) {
  EXPECT_EQ(nearest_key("smtp.hostname"), "hostname");
  EXPECT_EQ(nearest_key("max_recipients"), "smtp.max_recipients");
}

TEST(NearestSection, FindsTypingErrors) {
  EXPECT_EQ(nearest_section("smpt"), "smtp");
  EXPECT_EQ(nearest_section("mailbox"), "mailboxes");
  EXPECT_EQ(nearest_section("que"), "");
  EXPECT_EQ(nearest_section("dovecot"), "");
}

TEST(NearestKey, FindsNothingForWhatIsFarFromAll) {
  EXPECT_EQ(nearest_key("xyzzy"), "");
  EXPECT_EQ(nearest_key(""), "");
  EXPECT_EQ(nearest_key(std::string(100'000, 'h')), "");
}

}  // namespace
}  // namespace sternpost::config

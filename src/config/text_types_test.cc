#include "config/text_types.h"

#include <gtest/gtest.h>

namespace sternpost::config {
namespace {

using namespace std::string_view_literals;

TEST(Path, LosesDoubledAndTrailingSlashes) {
  EXPECT_EQ(normalize_path("/var//lib/sternpost/", false), "/var/lib/sternpost");
  EXPECT_EQ(normalize_path("a//b/", true), "a/b");
  EXPECT_EQ(normalize_path("/home/x/.state", false), "/home/x/.state");
}

TEST(Path, RefusesWhatCouldLeaveItsPlace) {
  for (const auto text :
       {""sv, "/"sv, "/a/../b"sv, "/.."sv, "/a/./b"sv, "/a\0b"sv, "/a\nb"sv, "relative"sv}) {
    EXPECT_FALSE(normalize_path(text, false)) << text;
  }
  for (const auto text : {".."sv, "a/../b"sv, ".hidden"sv, "a/.b"sv, "."sv}) {
    EXPECT_FALSE(normalize_path(text, true)) << text;
  }
}

TEST(MailboxDirectory, IsRelativeAndBounded) {
  EXPECT_EQ(normalize_mailbox_directory("alice/"), "alice");
  EXPECT_EQ(normalize_mailbox_directory("example.org/alice/Maildir"), "example.org/alice/Maildir");
  EXPECT_FALSE(normalize_mailbox_directory("/alice"));
  EXPECT_FALSE(normalize_mailbox_directory("//alice"));
  EXPECT_FALSE(normalize_mailbox_directory("../alice"));
  EXPECT_TRUE(normalize_mailbox_directory(std::string(255, 'a')));
  EXPECT_FALSE(normalize_mailbox_directory(std::string(256, 'a')));
  std::string long_path = std::string(255, 'a') + "/" + std::string(255, 'b');
  EXPECT_TRUE(normalize_mailbox_directory(long_path));
  EXPECT_FALSE(normalize_mailbox_directory(long_path + "/c"));
  EXPECT_TRUE(normalize_mailbox_directory("a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/"));
  EXPECT_FALSE(normalize_mailbox_directory("a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q"));
}

TEST(MailboxAddress, HasAUser) {
  EXPECT_FALSE(normalize_mailbox_address("\"\"@example.org")) << "would stand for the whole domain";
}

TEST(MailboxAddress, IsAnAddressOrAWholeDomainInLowerCase) {
  EXPECT_EQ(normalize_mailbox_address("Alice@Example.ORG"), "alice@example.org");
  EXPECT_EQ(normalize_mailbox_address("@Example.org"), "@example.org");
  EXPECT_EQ(normalize_mailbox_address("\"a b\"@example.org"), "\"a b\"@example.org");
  for (const auto* text :
       {"", "alice", "postmaster", "@", "alice@", "a b@example.org", "alice@exa mple.org"}) {
    EXPECT_FALSE(normalize_mailbox_address(text)) << text;
  }
}

TEST(Hostname, IsADomainNameAndNoLiteral) {
  EXPECT_EQ(normalize_hostname("Mail.Example.org"), "mail.example.org");
  for (const auto* text : {"", "[192.0.2.1]", "a..b", "-", "a b", "a@b"})
    EXPECT_FALSE(normalize_hostname(text)) << text;
}

TEST(Account, IsANameOrNumberButNeverRoot) {
  EXPECT_EQ(normalize_account(""), "");
  EXPECT_EQ(normalize_account("vmail"), "vmail");
  EXPECT_EQ(normalize_account("1000"), "1000");
  for (const auto* text : {"root", "0", "00", "4294967295", "4294967296", "1a", "-x", "a b", "a:b", "a/b"}) {
    EXPECT_FALSE(normalize_account(text)) << text;
  }
}

TEST(UserPart, NeedsNoQuotes) {
  EXPECT_EQ(normalize_user_part("Post.Master"), "post.master");
  for (const auto* text : {"", "a b", "\"a\"", "a@b", ".a", "a..b"})
    EXPECT_FALSE(normalize_user_part(text)) << text;
}

TEST(Delimiter, IsOnePunctuationCharacter) {
  EXPECT_EQ(normalize_delimiter("+"), "+");
  EXPECT_EQ(normalize_delimiter(""), "");
  for (const auto* text : {".", "@", "a", "++", " ", "\"", "/"})
    EXPECT_FALSE(normalize_delimiter(text)) << text;
}

}  // namespace
}  // namespace sternpost::config

#include "delivery/mailbox_map.h"

#include <gtest/gtest.h>

namespace sternpost::delivery {
namespace {

MapSettings settings(bool system_users) {
  MapSettings s;
  s.hostname = "mx.example.org";
  s.domains = {"example.org", "example.net"};
  s.extension_delimiter = "+";
  s.postmaster = "ann";
  s.system_users = system_users;
  s.mailboxes = {{"ann@example.org", "example.org/ann", {"list", "f", 1}},
                 {"@example.net", "net", {"list", "f", 2}},
                 {"evil@example.org", "../../etc", {"list", "f", 3}}};
  s.mailbox_rule = {"source", "", 0};
  return s;
}

std::optional<std::string> folder(const MailboxMap& map, std::string_view address) {
  auto found = map.find(*mail::Mailbox::from_wire(address));
  if (!found) return std::nullopt;
  return found->path;
}

TEST(MailboxMap, ASystemUserHasTheFolderOfItsName) {
  const MailboxMap map(settings(true));
  EXPECT_EQ(folder(map, "Ann@example.org"), "ann");
  EXPECT_EQ(folder(map, "bob+lists+x@example.net"), "bob");
}

TEST(MailboxMap, NothingUnsafeBecomesAFolder) {
  const MailboxMap map(settings(true));
  for (const auto* address : {"\"../ann\"@example.org", "a/b@example.org", "\".ann\"@example.org",
                              "\"\"@example.org", "ann@elsewhere.example", "ann@mx.example.org"}) {
    EXPECT_EQ(folder(map, address), std::nullopt) << address;
  }
  const MailboxMap list(settings(false));
  EXPECT_EQ(folder(list, "evil@example.org"), std::nullopt);
}

TEST(MailboxMap, AListedMailboxHasItsFolderAndRule) {
  const MailboxMap map(settings(false));
  EXPECT_EQ(folder(map, "ann+x@example.org"), "example.org/ann");
  EXPECT_EQ(folder(map, "anyone@example.net"), "net");
  EXPECT_EQ(folder(map, "gone@example.org"), std::nullopt);
  EXPECT_EQ(map.find(*mail::Mailbox::from_wire("x@example.net"))->rule.line, 2U);
}

TEST(MailboxMap, AVirtualDomainHasItsListedMailboxesAndNoSystemUsers) {
  auto s = settings(true);
  s.domains.emplace_back("Shop.example");
  s.virtual_domains = {"Shop.example"};
  s.mailboxes = {{"sales@shop.example", "shop/sales", {"list", "f", 1}}};
  const MailboxMap map(std::move(s));
  EXPECT_EQ(folder(map, "Sales+x@shop.example"), "shop/sales");
  EXPECT_EQ(map.find(*mail::Mailbox::from_wire("sales@shop.example"))->rule.line, 1U);
  EXPECT_EQ(folder(map, "bob@shop.example"), std::nullopt) << "a user of the system is not there";
  EXPECT_EQ(folder(map, "bob@example.org"), "bob");
  EXPECT_EQ(folder(map, "postmaster@shop.example"), "ann");
}

TEST(MailboxMap, PostmasterGoesToTheConfiguredUserAndAlwaysSomewhere) {
  EXPECT_EQ(folder(MailboxMap(settings(true)), "Postmaster"), "ann");
  EXPECT_EQ(folder(MailboxMap(settings(true)), "postmaster+x@mx.example.org"), "ann");
  const MailboxMap map(settings(false));
  EXPECT_EQ(folder(map, "postmaster@example.org"), "example.org/ann");
  EXPECT_EQ(folder(map, "postmaster"), "example.org/ann");
  EXPECT_EQ(folder(map, "postmaster@example.net"), "net");
  EXPECT_EQ(folder(map, "postmaster@elsewhere.example"), std::nullopt);
  auto s = settings(false);
  s.mailboxes.clear();
  s.postmaster = "../x";
  EXPECT_EQ(folder(MailboxMap(s), "postmaster"), "postmaster");
}

TEST(MailboxMap, AMailboxNamedPostmasterWinsOverTheConfiguredUser) {
  auto s = settings(false);
  s.mailboxes.push_back({"postmaster@example.org", "pm", {}});
  EXPECT_EQ(folder(MailboxMap(s), "postmaster@example.org"), "pm");
}

TEST(SplitPath, TakesSafeRelativePathsOnly) {
  EXPECT_EQ(split_path("a/b")->size(), 2U);
  EXPECT_FALSE(split_path("a/../b"));
  EXPECT_FALSE(split_path("/a"));
  EXPECT_FALSE(split_path("a/"));
  EXPECT_FALSE(split_path(std::string_view("a\0b", 3)));
  EXPECT_TRUE(split_path(std::string(255, 'a')));
  EXPECT_FALSE(split_path(std::string(256, 'a')));
  EXPECT_FALSE(split_path("1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17"));
}

}  // namespace
}  // namespace sternpost::delivery

#include "mail/address.h"

#include <gtest/gtest.h>

#include <string>

#include "base/codec.h"

namespace sternpost::mail {
namespace {

std::string times(std::size_t n, char c) {
  return std::string(n, c);
}

TEST(domain, is_kept_in_lower_case) {
  EXPECT_EQ(Domain::from_wire("Example.ORG")->to_wire(), "example.org");
  EXPECT_EQ(Domain::from_wire("localhost")->to_wire(), "localhost");
  EXPECT_EQ(Domain::from_wire("1.2.3.4")->to_wire(), "1.2.3.4");
}

TEST(domain, refuses_what_no_domain_is) {
  for (const char* text :
       {"", ".", "a.", ".a", "a..b", "-a", "a-", "a-.b", "a.-b", "a_b", "a b", "a\xc3\xa4", "a/b"}) {
    EXPECT_FALSE(Domain::from_wire(text)) << text;
  }
  EXPECT_FALSE(Domain::from_wire(std::string_view("a\0b", 3)));
}

TEST(domain, has_bounded_labels_and_length) {
  EXPECT_TRUE(Domain::from_wire(times(63, 'a') + ".org"));
  EXPECT_FALSE(Domain::from_wire(times(64, 'a') + ".org"));
  std::string longest;
  while (longest.size() < 254) longest += "a.";
  longest += "a";
  ASSERT_EQ(longest.size(), 255U);
  EXPECT_TRUE(Domain::from_wire(longest));
  EXPECT_FALSE(Domain::from_wire("a" + longest));
}

TEST(domain, takes_address_literals_in_one_spelling) {
  EXPECT_EQ(Domain::from_wire("[192.0.2.1]")->to_wire(), "[192.0.2.1]");
  EXPECT_EQ(Domain::from_wire("[IPv6:2001:DB8:0::1]")->to_wire(), "[ipv6:2001:db8::1]");
  EXPECT_TRUE(Domain::from_wire("[IPv6:::ffff:192.0.2.1]")->is_literal());
  for (const char* text : {"[]", "[192.0.2]", "[192.0.2.256]", "[192.0.2.1", "192.0.2.1]", "[IPv6:]",
                           "[IPv6:1]", "[2001:db8::1]", "[IPv6:192.0.2.1]", "[tag:x]", "[192.0.2.1]x"}) {
    EXPECT_FALSE(Domain::from_wire(text)) << text;
  }
  EXPECT_FALSE(Domain::from_wire(std::string_view("[192.0.2.1\0]", 12)));
}

TEST(mailbox, keeps_the_local_part_as_it_means) {
  const auto mailbox = Mailbox::from_wire(R"("a\"b c"@Example.org)");
  ASSERT_TRUE(mailbox);
  EXPECT_EQ(mailbox->local_part(), "a\"b c");
  EXPECT_EQ(mailbox->domain().to_wire(), "example.org");
  EXPECT_EQ(mailbox->to_wire(), R"("a\"b c"@example.org)");
  EXPECT_EQ(mailbox->wire_size(), mailbox->to_wire().size());
  EXPECT_EQ(Mailbox::from_wire(R"("plain"@example.org)")->to_wire(), "plain@example.org");
  EXPECT_EQ(Mailbox::from_wire(R"("\p\l"@example.org)")->to_wire(), "pl@example.org");
  EXPECT_EQ(Mailbox::from_wire(R"(""@example.org)")->to_wire(), R"(""@example.org)");
  EXPECT_EQ(Mailbox::from_wire("Bob.O'Neil+x@example.org")->local_part(), "Bob.O'Neil+x");
}

TEST(mailbox, refuses_what_no_mailbox_is) {
  for (const char* text :
       {"", "@", "a", "a@", "@b", "a@b@c", ".a@b", "a.@b", "a..b@c", "a b@c", "\"a@b", "\"a\"b@c",
        "\"a\\\"@b", "a\xff@b", "<a@b>", "\"a\nb\"@c", "postmaster@", "a@b "}) {
    EXPECT_FALSE(Mailbox::from_wire(text)) << text;
  }
}

TEST(mailbox, has_a_bounded_local_part) {
  EXPECT_TRUE(Mailbox::from_wire(times(64, 'a') + "@b"));
  EXPECT_FALSE(Mailbox::from_wire(times(65, 'a') + "@b"));
  EXPECT_TRUE(Mailbox::from_wire("\"" + times(62, ' ') + "\"@b"));
  EXPECT_FALSE(Mailbox::from_wire("\"" + times(63, ' ') + "\"@b"));
}

TEST(mailbox, postmaster_alone_has_no_domain) {
  for (const char* text : {"postmaster", "Postmaster", "POSTMASTER"}) {
    const auto mailbox = Mailbox::from_wire(text);
    ASSERT_TRUE(mailbox) << text;
    EXPECT_EQ(mailbox->to_wire(), "postmaster");
    EXPECT_TRUE(mailbox->domain().to_wire().empty());
    EXPECT_EQ(mailbox->at(*Domain::from_wire("example.org")).to_wire(), "postmaster@example.org");
  }
}

TEST(mailbox, survives_the_codec) {
  const auto mailbox = *Mailbox::from_wire(R"("a b"@[IPv6:::1])");
  EXPECT_EQ(decode<Mailbox>(encode(mailbox)), mailbox);
  EXPECT_FALSE(decode<Mailbox>(encode(std::string("not a mailbox"))));
}

TEST(reverse_path, prints_in_angle_brackets) {
  EXPECT_EQ(to_path(std::nullopt), "<>");
  EXPECT_EQ(to_path(Mailbox::from_wire("a@b")), "<a@b>");
}

}  // namespace
}  // namespace sternpost::mail

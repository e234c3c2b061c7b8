#include "service/dns/trust_anchor.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/unique_fd.h"

namespace sternpost::dns {
namespace {

TEST(TrustAnchor, ReadsRecordsWithoutCommentsAndBlankLines) {
  const auto records = parse_trust_anchor("; keys\n\n. IN DS 20326 8 2 E0 ; old\r\n\t. IN DS 38696 8 2 68");
  ASSERT_TRUE(records) << records.error().text;
  EXPECT_EQ(*records, (std::vector<std::string>{". IN DS 20326 8 2 E0", ". IN DS 38696 8 2 68"}));
}

TEST(TrustAnchor, RefusesNothingTooManyRecordsAndLongLines) {
  EXPECT_FALSE(parse_trust_anchor(""));
  EXPECT_FALSE(parse_trust_anchor("; only\n\n"));
  std::string many;
  for (int i = 0; i < 64; ++i) many += ". IN DS 1 8 2 00\n";
  EXPECT_TRUE(parse_trust_anchor(many));
  EXPECT_FALSE(parse_trust_anchor(many + ". IN DS 1 8 2 00\n"));
  EXPECT_TRUE(parse_trust_anchor(std::string(4'096, 'x')));
  const auto refused = parse_trust_anchor(std::string(4'097, 'x'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().what_to_do, ErrorClass::permanent);
  EXPECT_TRUE(refused.error().text.starts_with("dns.trust_anchor: "));
}

TEST(TrustAnchor, ReadsAFileFromItsBeginningUpToItsBound) {
  const UniqueFd file(::memfd_create("anchor", MFD_CLOEXEC));
  const std::string text(kLargestTrustAnchor, 'x');
  ASSERT_EQ(::write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  for (int i = 0; i < 2; ++i) {
    const auto read = read_trust_anchor(file.get());
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, text);
  }
  ASSERT_EQ(::write(file.get(), "x", 1), 1);
  EXPECT_FALSE(read_trust_anchor(file.get()));
  EXPECT_FALSE(read_trust_anchor(-1));
}

}  // namespace
}  // namespace sternpost::dns

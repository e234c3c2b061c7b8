#include "service/config/answer.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "base/codec.h"
#include "base/unique_fd.h"
#include "config/document.h"
#include "config/slices.h"

namespace sternpost::config {
namespace {

constexpr std::string_view kText =
    "setup = \"internet-site\"\nhostname = \"mail.example.org\"\ndomains = [\"example.org\"]\n";

const std::string& slice_of(const ConfigAnswer& answer, Compartment row) {
  return std::ranges::find(answer.slices, row, &std::pair<Compartment, std::string>::first)->second;
}

UniqueFd file_with(std::string_view text) {
  UniqueFd file(::memfd_create("test", MFD_CLOEXEC));
  EXPECT_EQ(::write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  return file;
}

TEST(ConfigAnswer, HasASliceForEveryCompartmentButConfig) {
  const auto result = answer({"s.toml", "/tmp/x"}, kText);
  EXPECT_TRUE(result.errors.empty());
  ASSERT_EQ(result.slices.size(), kCompartments - 1);
  for (unsigned i = 0; i < kCompartments; ++i) {
    const auto row = static_cast<Compartment>(i);
    if (row == Compartment::config) continue;
    EXPECT_EQ(std::ranges::count(result.slices, row, &std::pair<Compartment, std::string>::first), 1);
  }
  const auto master = decode<MasterSlice>(slice_of(result, Compartment::master));
  ASSERT_TRUE(master);
  EXPECT_EQ(master->state_directory, "/tmp/x");
  EXPECT_EQ(master->mail_directory, "/tmp/x/mail");
  const auto router = decode<RouterSlice>(slice_of(result, Compartment::router));
  ASSERT_TRUE(router);
  EXPECT_EQ(router->domains_rule, (Rule{"domains", "s.toml", 3}));
}

TEST(ConfigAnswer, HasNoSliceWhereThereIsAnError) {
  const auto result = answer({"s.toml", ""}, "setup = 1\n");
  EXPECT_TRUE(result.slices.empty());
  EXPECT_FALSE(result.errors.empty());
}

TEST(ReadFile, ReadsTheWholeFileWhateverItsOffset) {
  const auto file = file_with(kText);
  EXPECT_EQ(read_file(file.get()).value(), kText);
  EXPECT_EQ(read_file(file.get()).value(), kText);
}

TEST(ReadFile, StopsBeyondTheBoundSoThatTheFileIsRefused) {
  const auto file = file_with(std::string(kMaxFile + 100, '#'));
  const auto text = read_file(file.get());
  ASSERT_TRUE(text);
  EXPECT_EQ(text->size(), kMaxFile + 1);
  EXPECT_FALSE(answer({"s.toml", ""}, *text).errors.empty());
}

TEST(ReadFile, ReportsWhatIsNoFile) {
  EXPECT_FALSE(read_file(-1));
}

}  // namespace
}  // namespace sternpost::config

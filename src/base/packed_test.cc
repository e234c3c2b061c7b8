#include "base/packed.h"

#include <gtest/gtest.h>

#include <array>

namespace sternpost {
namespace {

constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
constexpr std::array<std::uint64_t, 7> kNumbers{0, 1, 127, 128, 16'383, 1ULL << 63U, kMost};

TEST(packed, gives_back_what_was_written) {
  PackedWriter out;
  out.octet(200);
  for (const auto number : kNumbers) out.number(number);
  for (const auto number : kNumbers) out.step(1000, number);
  out.text("a text");
  out.text("");
  const auto bytes = out.take();
  PackedReader in(bytes);
  EXPECT_EQ(in.octet(), 200U);
  for (const auto number : kNumbers) EXPECT_EQ(in.number(), number);
  for (const auto number : kNumbers) EXPECT_EQ(in.step(1000), number);
  std::string text;
  in.text(text);
  EXPECT_EQ(text, "a text");
  in.text(text);
  EXPECT_EQ(text, "");
  EXPECT_FALSE(in.failed());
  EXPECT_EQ(in.left(), 0U);
}

TEST(packed, takes_as_few_bytes_as_a_value_needs) {
  const auto size = [](auto write) {
    PackedWriter out;
    write(out);
    return out.take().size();
  };
  EXPECT_EQ(size([](PackedWriter& out) { out.number(127); }), 1U);
  EXPECT_EQ(size([](PackedWriter& out) { out.number(128); }), 2U);
  EXPECT_EQ(size([](PackedWriter& out) { out.number(kMost); }), 10U);
  EXPECT_EQ(size([](PackedWriter& out) { out.step(1'000'000, 999'990); }), 1U) << "near, in either direction";
}

TEST(packed, a_block_is_read_without_a_bound) {
  PackedWriter out;
  out.number(300);
  out.text("x");
  const auto block = out.block();
  auto in = PackedReader::of_own(block.get());
  EXPECT_EQ(in.number(), 300U);
  std::string text;
  in.text(text);
  EXPECT_EQ(text, "x");
  EXPECT_EQ(in.at() - block.get(), 4);
}

TEST(packed, a_counted_block_ends_where_it_says) {
  for (const std::size_t size : {0U, 1U, 200U, 20'000U}) {
    PackedWriter out;
    out.text(std::string(size, 'x'));
    const auto block = out.counted_block();
    auto in = PackedReader::of_counted(block.get());
    std::string text;
    in.text(text);
    EXPECT_EQ(text.size(), size);
    EXPECT_FALSE(in.failed());
    EXPECT_EQ(in.left(), 0U);
    EXPECT_EQ(in.octet(), 0U) << "behind the end";
    EXPECT_TRUE(in.failed());
  }
}

TEST(packed, fails_beyond_the_end_and_reads_nothing) {
  PackedReader empty(std::string_view{});
  EXPECT_EQ(empty.number(), 0U);
  EXPECT_TRUE(empty.failed());
  PackedReader cut("\x80");
  EXPECT_EQ(cut.number(), 0U);
  EXPECT_TRUE(cut.failed());
  PackedReader endless(std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"));
  EXPECT_EQ(endless.number(), 0U);
  EXPECT_TRUE(endless.failed());
  PackedReader too_many("\x05xx");
  std::string text = "before";
  too_many.text(text);
  EXPECT_EQ(text, "");
  EXPECT_TRUE(too_many.failed());
}

}  // namespace
}  // namespace sternpost

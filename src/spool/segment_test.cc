#include "spool/segment.h"

#include <gtest/gtest.h>

#include "base/checksum.h"

namespace sternpost::spool {
namespace {

SegmentHeader example() {
  return {3, 17, 65536, SegmentRole::incoming, 0x1234, 70000, {2, 16, 8192}};
}

TEST(segment, header_comes_back_as_it_was_written) {
  const auto block = encode_segment_header(example());
  ASSERT_EQ(block.size(), kBlock);
  auto fault = HeaderFault::blank;
  EXPECT_EQ(decode_segment_header(block, fault), example());
  EXPECT_EQ(block.find_last_not_of('\0') / 512, 0U) << "must lie in one sector";
}

TEST(segment, tells_a_blank_header_from_a_damaged_one_and_from_another_version) {
  auto fault = HeaderFault::damaged;
  EXPECT_FALSE(decode_segment_header(std::string(kBlock, '\0'), fault));
  EXPECT_EQ(fault, HeaderFault::blank);
  const auto block = encode_segment_header(example());
  const auto used = block.find_last_not_of('\0') + 1;
  for (std::size_t i = 0; i < used; ++i) {
    auto flipped = block;
    flipped[i] = static_cast<char>(flipped[i] ^ 16);
    EXPECT_FALSE(decode_segment_header(flipped, fault)) << i;
    const bool in_version = i >= 8 && i < 12;
    EXPECT_EQ(fault, in_version ? HeaderFault::other_version : HeaderFault::damaged) << i;
  }
}

TEST(segment, reads_the_header_of_the_version_before) {
  auto block = encode_segment_header(example());
  const auto used = block.find_last_not_of('\0') + 1;
  block[8] = 2;
  const auto covered = used - sizeof(std::uint64_t);
  std::string sum;
  Encoder(sum).put(checksum(std::string_view(block).substr(0, covered), 0));
  block.replace(covered, sum.size(), sum);
  auto fault = HeaderFault::blank;
  EXPECT_EQ(decode_segment_header(block, fault), example());
}

TEST(segment, header_of_more_segments_than_there_can_be_is_damaged) {
  auto header = example();
  auto fault = HeaderFault::blank;
  header.segments = kMaxSlots;
  EXPECT_EQ(decode_segment_header(encode_segment_header(header), fault), header);
  header.segments = kMaxSlots + 1;
  EXPECT_FALSE(decode_segment_header(encode_segment_header(header), fault));
  EXPECT_EQ(fault, HeaderFault::damaged);
}

TEST(segment, names_are_parsed_strictly) {
  EXPECT_EQ(segment_name(7), "segment-0007");
  EXPECT_EQ(parse_segment_name("segment-0007"), 7U);
  EXPECT_EQ(parse_segment_name(segment_name(12345)), 12345U);
  for (const auto* name : {"segment-7", "segment-65536", "segment-4294967295", "segment-", "segment-00007",
                           "segment-0007.old", "lost+found", "segment--001"}) {
    EXPECT_FALSE(parse_segment_name(name)) << name;
  }
}

TEST(segment, seed_depends_on_slot_generation_and_salt) {
  const SegmentIdentity base(example());
  for (const auto& change : {+[](SegmentHeader& h) { ++h.slot; }, +[](SegmentHeader& h) { ++h.generation; },
                             +[](SegmentHeader& h) { ++h.salt; }}) {
    auto other = example();
    change(other);
    EXPECT_NE(SegmentIdentity(other).seed, base.seed);
  }
}

}  // namespace
}  // namespace sternpost::spool

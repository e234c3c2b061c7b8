#include "spool/group.h"

#include <gtest/gtest.h>

#include "spool/disk.h"

namespace sternpost::spool {
namespace {

SegmentIdentity identity() {
  return SegmentIdentity({1, 2, 65536, SegmentRole::incoming, 3, 1, {}});
}

TEST(group, holds_its_records_in_whole_blocks) {
  GroupBuilder group;
  group.add(RecordType::message, {5},
            MessageHead{ContentKind::inline_bytes, {}, {true, false, 2, {}, "envelope"}}, "content");
  group.add(RecordType::mark, {6}, Mark{MarkKind::release});
  const auto bytes = join(group.finish(identity(), {7, 17, 8, WallTime{9}}));
  EXPECT_EQ(bytes.size(), kBlock);
  const auto header = parse_group_header(bytes, identity());
  ASSERT_TRUE(header);
  EXPECT_EQ(header->sequence, 7U);
  EXPECT_EQ(header->id_mark, 8U);
  EXPECT_EQ(header->written, WallTime{9});
  const auto parsed = parse_group(bytes, 4096, *header, identity());
  EXPECT_TRUE(parsed.damage.empty());
  ASSERT_EQ(parsed.records.size(), 2U);
  EXPECT_EQ(parsed.records[0].offset, 4096 + kGroupHeaderBytes);
  EXPECT_EQ(parsed.records[0].content, "content");
  EXPECT_EQ(decode<MessageHead>(parsed.records[0].head)->state.envelope, "envelope");
  EXPECT_TRUE(parsed.records[0].head.ends_with("envelope")) << "envelope and content are contiguous";
  EXPECT_EQ(decode<Mark>(parsed.records[1].head)->kind, MarkKind::release);
}

TEST(group, is_the_same_with_contents_that_are_borrowed) {
  const std::string first(5000, 'a');
  const std::string second(3000, 'b');
  GroupBuilder copied;
  GroupBuilder borrowed;
  for (const auto* content : {&first, &second}) {
    copied.add(RecordType::message, {5}, MessageHead{}, *content);
    borrowed.add_borrowing(RecordType::message, {5}, MessageHead{}, *content);
    copied.add(RecordType::mark, {6}, Mark{});
    borrowed.add(RecordType::mark, {6}, Mark{});
  }
  EXPECT_EQ(copied.extent(), borrowed.extent());
  for (std::size_t i = 0; i < copied.records().size(); ++i) {
    EXPECT_EQ(copied.records()[i].offset, borrowed.records()[i].offset) << i;
  }
  EXPECT_EQ(join(copied.finish(identity(), {0, 1, 1, {}})), join(borrowed.finish(identity(), {0, 1, 1, {}})));
}

TEST(group, can_be_finished_again_for_another_segment) {
  GroupBuilder group;
  group.add(RecordType::mark, {6}, Mark{});
  (void)group.finish(identity(), {0, 1, 1, {}});
  const SegmentIdentity other({4, 5, 65536, SegmentRole::incoming, 6, 1, {}});
  const auto bytes = join(group.finish(other, {1, 1, 1, {}}));
  const auto header = parse_group_header(bytes, other);
  ASSERT_TRUE(header);
  EXPECT_TRUE(parse_group(bytes, kBlock, *header, other).damage.empty());
  EXPECT_FALSE(parse_group_header(bytes, identity()));
}

TEST(group, without_records_still_carries_the_mark) {
  GroupBuilder group;
  const auto header = parse_group_header(join(group.finish(identity(), {0, 1, 70000, {}})), identity());
  ASSERT_TRUE(header);
  EXPECT_EQ(header->id_mark, 70000U);
  EXPECT_EQ(header->records, 0U);
}

TEST(group, refuses_lengths_that_reach_beyond_what_is_there) {
  GroupBuilder group;
  group.add(RecordType::message, {5}, MessageHead{}, std::string(6000, 'c'));
  const auto bytes = join(group.finish(identity(), {0, 1, 1, {}}));
  const auto header = parse_group_header(bytes, identity());
  for (const std::size_t cut : {0U, 70U, 4096U, 6000U}) {
    const auto parsed = parse_group(std::string_view(bytes).substr(0, cut), kBlock, *header, identity());
    EXPECT_TRUE(parsed.records.empty()) << cut;
    EXPECT_EQ(parsed.damage.size(), 1U) << cut;
  }
}

TEST(group, does_not_decode_enumerators_that_do_not_exist) {
  EXPECT_FALSE(decode<Mark>(std::string_view("\x03", 1)));
  auto head = encode(MessageHead{});
  head[0] = 2;
  EXPECT_FALSE(decode<MessageHead>(head));
}

}  // namespace
}  // namespace sternpost::spool

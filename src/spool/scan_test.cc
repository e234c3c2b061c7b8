#include "spool/scan.h"

#include <gtest/gtest.h>

#include "spool/disk.h"

namespace sternpost::spool {
namespace {

SegmentHeader header() {
  return {1, 9, 16 * kBlock, SegmentRole::incoming, 77, 1, {}};
}

/// A segment in memory to which groups of marks are appended.
class Image {
 public:
  Image() { bytes_.resize(header().segment_bytes); }

  /// A group of one record for each id, with that much content.
  std::uint64_t append(std::initializer_list<std::uint64_t> ids, std::size_t content = 0) {
    GroupBuilder group;
    for (const auto id : ids) group.add(RecordType::message, {id}, MessageHead{}, std::string(content, 'c'));
    return put(group);
  }
  std::uint64_t close() {
    GroupBuilder group;
    group.add(RecordType::mark, {}, Mark{MarkKind::closed});
    return put(group);
  }
  void flip(std::uint64_t offset) { bytes_[offset] = static_cast<char>(bytes_[offset] ^ 1); }
  void erase(std::uint64_t from, std::uint64_t to) {
    std::fill(bytes_.begin() + static_cast<long>(from), bytes_.begin() + static_cast<long>(to), '\0');
  }
  [[nodiscard]] std::uint64_t end() const { return end_; }
  std::string& bytes() { return bytes_; }

  SegmentScan scan(EndKnowledge knowledge, std::uint64_t synced_end = 0) {
    const auto limit = knowledge == EndKnowledge::named ? end_ : bytes_.size();
    return scan_segment(std::string_view(bytes_).substr(0, limit), header(), knowledge,
                        {.synced_end = synced_end});
  }

 private:
  std::uint64_t put(GroupBuilder& group) {
    const auto at = end_;
    const auto bytes = join(group.finish(SegmentIdentity(header()), {sequence_++, 1, 1, {}}));
    bytes_.replace(end_, bytes.size(), bytes);
    end_ += bytes.size();
    return at;
  }

  std::string bytes_;
  std::uint64_t end_ = kBlock;
  std::uint64_t sequence_ = 0;
};

std::vector<std::uint64_t> ids(const SegmentScan& scan) {
  std::vector<std::uint64_t> found;
  for (const auto& group : scan.groups) {
    for (const auto& record : group.records) found.push_back(record.header.id.value);
  }
  return found;
}

TEST(scan, finds_all_groups_and_where_the_next_one_goes) {
  Image image;
  image.append({1, 2});
  image.append({3}, 9000);
  const auto scan = image.scan(EndKnowledge::newest);
  EXPECT_EQ(ids(scan), (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_EQ(scan.end, image.end());
  EXPECT_EQ(scan.next_sequence, 2U);
  EXPECT_TRUE(scan.damage.empty());
  EXPECT_FALSE(scan.torn_tail);
}

TEST(scan, drops_a_torn_tail_whole_wherever_it_is_torn) {
  Image whole;
  whole.append({1});
  const auto last = whole.append({2, 3}, 3000);
  for (auto offset = last; offset + 512 <= whole.end(); offset += 512) {
    auto image = whole;
    image.erase(offset, offset + 512);
    if (image.bytes() == whole.bytes()) continue;  // padding
    const auto scan = image.scan(EndKnowledge::newest);
    EXPECT_EQ(ids(scan), (std::vector<std::uint64_t>{1})) << offset;
    EXPECT_EQ(scan.end, last);
    EXPECT_TRUE(scan.damage.empty());
  }
}

TEST(scan, calls_the_same_damage_corruption_where_the_end_is_named) {
  Image image;
  image.append({1});
  const auto last = image.append({2, 3}, 3000);
  image.flip(last + kGroupHeaderBytes + kRecordHeaderBytes + 2000);
  const auto scan = image.scan(EndKnowledge::named);
  EXPECT_EQ(ids(scan), (std::vector<std::uint64_t>{1, 3}));
  ASSERT_EQ(scan.damage.size(), 1U);
  EXPECT_EQ(scan.damage[0].id, QueueId{2});
  EXPECT_FALSE(scan.torn_tail);
}

TEST(scan, uses_good_records_of_a_damaged_group_with_a_successor) {
  Image image;
  const auto first = image.append({1, 2, 3}, 100);
  image.append({4});
  image.flip(first + kGroupHeaderBytes + kRecordHeaderBytes + 50);
  const auto scan = image.scan(EndKnowledge::newest);
  EXPECT_EQ(ids(scan), (std::vector<std::uint64_t>{2, 3, 4}));
  ASSERT_EQ(scan.damage.size(), 1U);
  EXPECT_EQ(scan.damage[0].id, QueueId{1});
}

TEST(scan, uses_records_whose_group_header_is_damaged) {
  Image image;
  const auto first = image.append({1, 2}, 5000);
  image.append({3});
  image.flip(first + 30);
  const auto scan = image.scan(EndKnowledge::newest);
  EXPECT_EQ(ids(scan), (std::vector<std::uint64_t>{1, 2, 3}));
  ASSERT_EQ(scan.damage.size(), 1U);
  EXPECT_EQ(scan.damage[0].offset, first);
}

TEST(scan, takes_no_group_for_torn_that_is_known_to_have_been_synced) {
  Image image;
  image.append({1});
  const auto last = image.append({2, 3}, 100);
  image.flip(last + kGroupHeaderBytes + kRecordHeaderBytes + 50);
  EXPECT_TRUE(image.scan(EndKnowledge::newest).torn_tail);
  const auto scan = image.scan(EndKnowledge::newest, image.end());
  EXPECT_FALSE(scan.torn_tail);
  EXPECT_EQ(ids(scan), (std::vector<std::uint64_t>{1, 3}));
  ASSERT_EQ(scan.damage.size(), 1U);
  EXPECT_EQ(scan.damage[0].id, QueueId{2});
}

TEST(scan, misses_what_was_synced_and_is_gone_and_reads_on_behind_it) {
  Image image;
  const auto gone = image.append({1});
  const auto behind = image.end();
  image.erase(gone, behind);
  auto scan = image.scan(EndKnowledge::newest, behind);
  ASSERT_EQ(scan.damage.size(), 1U);
  EXPECT_EQ(scan.damage[0].offset, gone);
  EXPECT_EQ(scan.damage[0].length, behind - gone);
  EXPECT_EQ(scan.end, behind);
  image.append({2});
  scan = image.scan(EndKnowledge::newest, behind);
  EXPECT_EQ(ids(scan), (std::vector<std::uint64_t>{2}));
}

TEST(scan, stops_at_the_closing_mark_whatever_follows) {
  Image image;
  image.append({1});
  const auto end = image.close();
  image.append({2});
  const auto scan = image.scan(EndKnowledge::sealed);
  EXPECT_EQ(ids(scan), (std::vector<std::uint64_t>{1}));
  EXPECT_EQ(scan.end, end);
  EXPECT_TRUE(scan.sealed);
  EXPECT_EQ(scan.next_sequence, 1U) << "the closing mark may be written again in its place";
  EXPECT_TRUE(scan.damage.empty());
}

TEST(scan, reports_a_closed_segment_that_lost_its_end) {
  Image image;
  image.append({1});
  EXPECT_EQ(image.scan(EndKnowledge::sealed).damage.size(), 1U);
}

TEST(scan, does_not_read_what_another_generation_wrote) {
  Image image;
  image.append({1});
  auto next = header();
  ++next.generation;
  EXPECT_TRUE(scan_segment(image.bytes(), next, EndKnowledge::newest).groups.empty());
}

TEST(scan, is_not_fooled_by_a_message_that_looks_like_a_group) {
  // The content is a group of this slot and generation, by someone who knows all but the salt.
  auto guess = header();
  guess.salt = 0;
  GroupBuilder forged;
  forged.add(RecordType::message, {666}, MessageHead{});
  const auto content = join(forged.finish(SegmentIdentity(guess), {5, 1, 1, {}}));
  Image image;
  image.append({1});
  GroupBuilder group;
  const auto before = kGroupHeaderBytes + kRecordHeaderBytes + encode(MessageHead{}).size();
  group.add(RecordType::message, {2}, MessageHead{}, std::string(kBlock - before, 'x') + content);
  const auto bytes = join(group.finish(SegmentIdentity(header()), {1, 1, 1, {}}));
  image.bytes().replace(image.end(), bytes.size(), bytes);
  image.erase(image.end(), image.end() + 512);  // torn: the group's own header is gone
  const auto scan = image.scan(EndKnowledge::newest);
  EXPECT_EQ(ids(scan), (std::vector<std::uint64_t>{1}));
}

TEST(scan, notices_every_flipped_bit_of_a_group) {
  Image whole;
  const auto first = whole.append({1}, 40);
  const auto used = kGroupHeaderBytes + kRecordHeaderBytes + encode(MessageHead{}).size() + 40;
  whole.append({2});
  for (std::size_t i = 0; i < used; ++i) {
    auto image = whole;
    image.flip(first + i);
    EXPECT_FALSE(image.scan(EndKnowledge::newest).damage.empty()) << i;
  }
}

}  // namespace
}  // namespace sternpost::spool

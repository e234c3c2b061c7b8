#include "spool/log_walk.h"

#include <map>

#include "spool/engine_test_rig.h"

namespace sternpost::spool {
namespace {

class log_walk : public EngineRig {
 protected:
  struct Seen {
    std::string file;
    std::uint64_t offset = 0;
    std::uint64_t group = 0;
    std::string what;
    QueueId id;
  };

  std::vector<Seen> walk() {
    engine_.reset();
    std::vector<Seen> seen;
    const Disks disks(*disk_, second_disk_.get());
    const auto walked = walk_log(disks, [&](const LogEntry& entry) {
      auto what = entry.record == nullptr
                      ? std::string(entry.why)
                      : "record " + std::to_string(static_cast<unsigned>(entry.record->header.type));
      seen.push_back(
          {std::string(entry.file), entry.offset, entry.group.value_or(0), std::move(what), entry.id});
    });
    EXPECT_TRUE(walked) << walked.error().text;
    return seen;
  }
};

TEST_F(log_walk, tells_records_in_the_order_in_which_they_were_written) {
  const auto one = add("one");
  const auto two = add("two");
  ASSERT_TRUE(commit(Hold{one}));
  ASSERT_TRUE(commit(outcome(two, 0, mail::Disposition::delivered)));
  std::vector<std::pair<std::string, QueueId>> told;
  std::uint64_t group = 0;
  for (const auto& seen : walk()) {
    told.emplace_back(seen.what, seen.id);
    EXPECT_GT(seen.group, group);
    group = seen.group;
  }
  EXPECT_EQ(told, (std::vector<std::pair<std::string, QueueId>>{
                      {"record 0", one}, {"record 0", two}, {"record 4", one}, {"record 2", two}}));
}

TEST_F(log_walk, tells_both_logs_by_the_time_of_writing_whatever_files_they_are_in) {
  std::vector<QueueId> kept;
  for (int i = 0; i < 60; ++i) {
    const auto id = add(std::string(8000, 'x'));
    if (i % 10 == 0) {
      kept.push_back(id);
    } else {
      ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::delivered)));
    }
    maintain_all();
  }
  std::uint64_t group = 0;
  std::map<QueueId, int> messages;
  for (const auto& seen : walk()) {
    EXPECT_GE(seen.group, group) << seen.what;
    group = seen.group;
    if (seen.what == "record 0") ++messages[seen.id];
  }
  for (const auto id : kept) EXPECT_GE(messages[id], 1);
  start();
  EXPECT_GT(engine_->stats().segments, 1U) << "else there was nothing to put in order";
}

TEST_F(log_walk, tells_what_is_damaged_where_it_stands) {
  const auto one = add("one");
  const auto two = add(std::string(5000, 'x'));
  const auto three = add("three");
  const auto whole = walk();
  ASSERT_EQ(whole.size(), 3U);
  ASSERT_EQ(whole[1].id, two);
  flip(*parse_segment_name(whole[1].file), whole[1].offset + 3000);
  const auto seen = walk();
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[0].id, one);
  EXPECT_EQ(seen[1].id, two);
  EXPECT_EQ(seen[1].offset, whole[1].offset);
  EXPECT_EQ(seen[1].what, "a record's checksum does not match");
  EXPECT_EQ(seen[2].id, three);
}

TEST_F(log_walk, tells_a_rotten_end_that_a_checkpoint_knew_for_damage) {
  add("one");
  const auto last = add(std::string(2 * kBlock, 'x'));
  const auto place = engine_->outline(last)->data;
  ASSERT_TRUE(engine_->write_checkpoint());
  engine_.reset();
  flip(place.slot, place.offset + kBlock / 2);
  const auto whose = [&] {
    std::vector<QueueId> damaged;
    for (const auto& seen : walk()) {
      if (seen.what == "a record's checksum does not match") damaged.push_back(seen.id);
    }
    return damaged;
  };
  EXPECT_EQ(whose(), std::vector{last});
  for (const auto& spare : spares()) std::filesystem::resize_file(spare, 0);  // no header names the end
  ++options_.salt;
  ASSERT_TRUE(Engine::open(*disk_, clock_, options_, CheckpointUse::none));
  EXPECT_EQ(whose(), std::vector{last}) << "also after a start that did not begin with it";
}

TEST_F(log_walk, tells_an_end_that_no_checkpoint_knew_for_a_torn_tail) {
  add("one");
  ASSERT_TRUE(engine_->write_checkpoint());
  const auto last = add(std::string(2 * kBlock, 'x'));
  const auto place = engine_->outline(last)->data;
  engine_.reset();
  flip(place.slot, place.offset + kBlock / 2);
  const auto seen = walk();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[1].what, "a torn tail: never acknowledged, dropped");
}

TEST_F(log_walk, tells_what_the_disk_does_not_give_back_and_goes_on) {
  add("one");
  const auto two = add("two");
  const auto whole = walk();
  ASSERT_EQ(whole.size(), 2U);
  disk_->unreadable = {whole[0].file, whole[0].offset, whole[0].offset + 1};
  const auto seen = walk();
  EXPECT_TRUE(
      std::ranges::any_of(seen, [&](const Seen& one) { return one.what == "record 0" && one.id == two; }));
  EXPECT_TRUE(
      std::ranges::any_of(seen, [](const Seen& one) { return one.what == "the disk cannot read it"; }));

  disk_->unreadable = {whole[0].file, 0, 1};
  const auto without = walk();
  ASSERT_EQ(without.size(), 1U);
  EXPECT_EQ(without[0].what, "the segment's header cannot be read");
}

TEST_F(log_walk, finds_the_segments_and_what_their_headers_say) {
  maintain_all();
  add("one");
  engine_.reset();
  std::ofstream(folder_ + "/segment-0040").flush();
  std::ofstream(folder_ + "/segment-0041") << std::string(kBlock, 'x');
  std::ofstream(folder_ + "/elsewhere") << "x";
  const auto found = find_segments(Disks(*disk_));
  ASSERT_TRUE(found) << found.error().text;
  ASSERT_GE(found->size(), 3U);
  ASSERT_TRUE(found->front().header);
  EXPECT_EQ(found->front().header->segment_bytes, kSegment);
  const auto& damaged = (*found)[found->size() - 1];
  const auto& blank = (*found)[found->size() - 2];
  EXPECT_EQ(damaged.slot, 41U);
  EXPECT_EQ(damaged.why_not, "the segment's header is damaged");
  EXPECT_EQ(blank.slot, 40U);
  EXPECT_FALSE(blank.header);
  EXPECT_EQ(blank.why_not, "");
}

}  // namespace
}  // namespace sternpost::spool

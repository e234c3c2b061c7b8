#include "spool/content_file.h"

#include <sys/stat.h>

#include <fstream>

#include "spool/engine_test_rig.h"

namespace sternpost::spool {
namespace {

/// Longer than a step, and not of whole ones.
std::string large(char fill = 'l') {
  std::string content(3 * kContentStep + 17, fill);
  content[kContentStep] = '\n';
  return content;
}

class content_file : public EngineRig {
 protected:
  content_file() {
    options_.max_message_bytes = 1 << 20U;
    start();
  }

  AddMessage with_file(const std::string& content) {
    auto add = message("");
    const auto file = write_content(*disk_, add.id, content);
    EXPECT_TRUE(file) << file.error().text;
    add.file = *file;
    return add;
  }
  QueueId add_file(const std::string& content) {
    auto one = with_file(content);
    const auto id = one.id;
    const auto added = commit(std::move(one));
    EXPECT_TRUE(added) << added.error().text;
    return id;
  }
  [[nodiscard]] std::string path(QueueId id) const { return folder_ + "/" + content_name(id); }
  [[nodiscard]] bool exists(QueueId id) const { return std::filesystem::exists(path(id)); }
  void finish(QueueId id) { ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::delivered))); }
  /// What the owner of the engine does with what it has no use for.
  std::vector<QueueId> remove_discarded() {
    auto ids = engine_->take_discarded();
    for (const auto id : ids) EXPECT_TRUE(remove_content(*disk_, id));
    return ids;
  }
};

TEST_F(content_file, names_are_parsed_strictly) {
  EXPECT_EQ(parse_content_name(content_name({12345})), QueueId{12345});
  for (const auto* name : {"content-", "content", "content-!", "contents-000b", "segment-0001"}) {
    EXPECT_FALSE(parse_content_name(name)) << name;
  }
}

TEST_F(content_file, belongs_to_its_message_across_starts_and_goes_with_it) {
  const auto id = add_file(large());
  EXPECT_EQ(engine_->outline(id)->content_bytes(), large().size());
  for (int life = 0; life < 3; ++life) {
    EXPECT_EQ(engine_->read_content(id), large());
    EXPECT_TRUE(engine_->recovery().quarantined.empty());
    EXPECT_EQ(engine_->stats().content_bytes, large().size());
    EXPECT_TRUE(engine_->take_discarded().empty());
    if (life == 1) ASSERT_TRUE(engine_->write_checkpoint());
    start();
  }
  finish(id);
  EXPECT_EQ(engine_->stats().content_bytes, 0U);
  EXPECT_EQ(remove_discarded(), std::vector<QueueId>{id});
  EXPECT_FALSE(exists(id));
}

TEST_F(content_file, stays_where_it_is_when_its_record_moves) {
  const auto id = add_file(large());
  for (int i = 0; i < 60; ++i) {
    finish(add(std::string(3000, 'x')));
    maintain_all();
  }
  EXPECT_GT(engine_->stats().log.segments_reset, 0U);
  EXPECT_EQ(engine_->read_content(id), large());
  start();
  EXPECT_EQ(engine_->read_content(id), large());
  finish(id);
  EXPECT_EQ(engine_->take_discarded(), std::vector<QueueId>{id});
}

TEST_F(content_file, without_a_message_is_an_orphan_after_a_start) {
  const auto kept = add_file(large());
  const auto orphan = with_file(large()).id;  // never committed
  const auto finished = add_file(large());
  finish(finished);  // and the process ends before the file is removed
  start();
  auto orphans = engine_->recovery().orphans;
  std::ranges::sort(orphans);
  EXPECT_EQ(orphans, (std::vector<QueueId>{orphan, finished}));
  auto removed = remove_discarded();
  EXPECT_EQ(removed.size(), 2U);
  EXPECT_TRUE(exists(kept));
  start();
  EXPECT_TRUE(engine_->recovery().orphans.empty());
}

TEST_F(content_file, without_a_message_is_kept_while_a_segment_is_damaged) {
  const auto one = add_file(large());
  finish(add("another group behind it, so that the damage is none of a torn tail"));
  flip(engine_->outline(one)->data.slot, engine_->outline(one)->data.offset + 50);
  start();
  EXPECT_FALSE(engine_->recovery().quarantined.empty());
  EXPECT_TRUE(engine_->take_discarded().empty()) << "its message may be readable at a later start";
  EXPECT_TRUE(exists(one));
}

TEST_F(content_file, that_is_missing_or_cut_is_reported_and_its_message_kept) {
  const auto gone = add_file(large());
  const auto cut = add_file(large());
  std::filesystem::remove(path(gone));
  std::filesystem::resize_file(path(cut), 1000);
  start();
  const auto& found = engine_->recovery().quarantined;
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(engine_->stats().quarantined, 0U) << "the log is as good as it was";
  for (const auto& one : found) {
    EXPECT_EQ(one.file, content_name(one.id));
    EXPECT_NE(one.why.find(one.id == gone ? "missing" : "1000 octets instead of 196625"), std::string::npos)
        << one.why;
    const auto content = engine_->read_content(one.id);
    ASSERT_FALSE(content);
    EXPECT_EQ(content.error().what_to_do, ErrorClass::permanent);
    EXPECT_TRUE(engine_->contains(one.id));
  }
}

TEST_F(content_file, is_held_against_its_checksum_when_it_is_read) {
  const auto id = add_file(large());
  {
    std::fstream file(path(id), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(2 * kContentStep));
    file.put('X');
  }
  auto content = engine_->read_content(id);
  ASSERT_FALSE(content);
  EXPECT_EQ(content.error().what_to_do, ErrorClass::permanent);
  std::ofstream(path(id), std::ios::app) << "more";
  content = engine_->read_content(id);
  ASSERT_FALSE(content);
  EXPECT_NE(content.error().text.find("longer"), std::string::npos);
}

TEST_F(content_file, that_cannot_be_opened_keeps_nothing_else_from_a_start) {
  const auto id = add_file(large());
  const auto other = add("other");
  disk_->unopenable = content_name(id);
  start();
  ASSERT_EQ(engine_->recovery().quarantined.size(), 1U);
  EXPECT_EQ(engine_->recovery().quarantined[0].id, id);
  EXPECT_FALSE(engine_->read_content(id));
  EXPECT_EQ(engine_->read_content(other), "other");
  disk_->unopenable.clear();
  start();
  EXPECT_EQ(engine_->read_content(id), large());
}

TEST_F(content_file, is_durable_after_a_start_also_where_the_folder_is_a_copy) {
  const auto id = add_file(large());
  disk_->synced.clear();
  start();
  EXPECT_TRUE(disk_->synced.contains(content_name(id)));
}

TEST_F(content_file, that_cannot_be_read_just_now_is_no_damage) {
  const auto id = add_file(large());
  disk_->unreadable = {content_name(id), 70'000, 70'001};
  const auto content = engine_->read_content(id);
  ASSERT_FALSE(content);
  EXPECT_EQ(content.error().what_to_do, ErrorClass::temporary);
  disk_->unreadable = {};
  EXPECT_EQ(engine_->read_content(id), large());
}

TEST_F(content_file, of_a_message_that_was_refused_is_discarded_when_no_start_can_find_it) {
  auto refused = with_file(large());
  const auto id = refused.id;
  disk_->failing_syncs = 1;
  ASSERT_FALSE(commit(std::move(refused)));
  EXPECT_TRUE(engine_->take_discarded().empty()) << "a start may find the group that was not synced";
  start();
  EXPECT_EQ(engine_->read_content(id), large()) << "as this one did";
  auto again = with_file(large('m'));
  const auto other = again.id;
  disk_->failing_syncs = 1;
  ASSERT_FALSE(commit(std::move(again)));
  add("what is written now stands in its place");
  EXPECT_EQ(remove_discarded(), std::vector<QueueId>{other});
  start();
  EXPECT_FALSE(engine_->contains(other));
  EXPECT_TRUE(engine_->recovery().quarantined.empty());
}

TEST_F(content_file, of_a_message_stays_when_it_was_refused_once_and_taken_then) {
  auto one = with_file(large());
  const auto id = one.id;
  disk_->failing_syncs = 1;
  ASSERT_FALSE(commit(one));
  ASSERT_TRUE(commit(one));
  EXPECT_TRUE(engine_->take_discarded().empty());
  EXPECT_EQ(engine_->read_content(id), large());
}

TEST_F(content_file, of_a_message_stays_when_its_id_is_used_again) {
  auto first = with_file(large());
  auto second = first;
  ASSERT_TRUE(commit(std::move(first)));
  EXPECT_FALSE(commit(second));
  EXPECT_TRUE(engine_->take_discarded().empty());
  EXPECT_EQ(engine_->read_content(second.id), large());
}

TEST_F(content_file, is_of_its_whole_length_where_its_beginning_is_read) {
  const auto id = add_file(large());
  EXPECT_EQ(engine_->read_beginning(id, 10), large().substr(0, 10));
  EXPECT_EQ(engine_->read_beginning(id, 2 * large().size()), large());
  EXPECT_EQ(engine_->read_beginning(add("in the log"), 2), "in");
  for (const auto length : {large().size() - 1, large().size() + 1, std::size_t{0}}) {
    std::filesystem::resize_file(path(id), length);
    const auto beginning = engine_->read_beginning(id, 10);
    ASSERT_FALSE(beginning) << length;
    EXPECT_EQ(beginning.error().what_to_do, ErrorClass::permanent);
  }
  std::filesystem::remove(path(id));
  EXPECT_EQ(engine_->read_beginning(id, 10).error().text, content_name(id) + " is missing");
}

TEST_F(content_file, has_bounds) {
  auto empty = with_file("x");
  empty.file->bytes = 0;
  EXPECT_FALSE(commit(std::move(empty)));
  auto both = with_file("x");
  both.content = "y";
  EXPECT_FALSE(commit(std::move(both)));
  auto too_large = with_file("x");
  too_large.file->bytes = options_.max_message_bytes + 1;
  EXPECT_FALSE(commit(std::move(too_large)));
}

TEST_F(content_file, is_made_once) {
  const auto id = add_file(large());
  EXPECT_FALSE(write_content(*disk_, id, "another")) << "nothing is written over";
}

TEST_F(content_file, counts_for_the_size_of_the_queue_and_leaves_space_to_others) {
  options_.max_spool_bytes = 8 * kSegment;
  start();
  maintain_all();
  const auto log = engine_->stats().bytes;
  const auto room = options_.max_spool_bytes - log;
  EXPECT_TRUE(engine_->may_take_content(room, 0));
  EXPECT_FALSE(engine_->may_take_content(room + 1, 0));
  EXPECT_FALSE(engine_->may_take_content(room, 1)) << "others are being written";
  const auto id = add_file(large());
  EXPECT_FALSE(engine_->may_take_content(room, 0));
  for (int i = 0; i < 40; ++i) {
    std::ignore = commit(message(std::string(12'000, 'x')));
    std::ignore = engine_->maintain();
  }
  EXPECT_LE(engine_->stats().bytes + engine_->stats().content_bytes, options_.max_spool_bytes);
  finish(id);
  disk_->free = 5000;
  EXPECT_FALSE(engine_->may_take_content(6000, 0));
}

TEST_F(content_file, is_written_in_pieces_and_not_left_half_made) {
  const auto id = *engine_->lease(1);
  auto writer = ContentWriter::create(*disk_, id);
  ASSERT_TRUE(writer);
  for (const auto* piece : {"one ", "", "two"}) ASSERT_TRUE(writer->append(piece));
  EXPECT_EQ(*writer->finish(), (ContentFile{7, checksum("one two", kContentSeed)}));
  const auto other = *engine_->lease(1);
  disk_->failing_syncs = 1;
  EXPECT_FALSE(write_content(*disk_, other, large()));
  EXPECT_FALSE(exists(other));
}

}  // namespace
}  // namespace sternpost::spool

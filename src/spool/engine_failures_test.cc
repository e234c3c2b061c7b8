// The engine on a disk that fails, loses and damages.
#include "spool/engine_test_rig.h"

namespace sternpost::spool {
namespace {

class engine_on_a_bad_disk : public EngineRig {};

TEST_F(engine_on_a_bad_disk, shows_nothing_of_a_commit_whose_sync_failed) {
  const auto before = add("before");
  auto one = message("failed");
  disk_->failing_syncs = 1;
  const auto result = commit(one);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().what_to_do, ErrorClass::temporary);
  EXPECT_FALSE(engine_->find(one.id));
  EXPECT_FALSE(engine_->was_committed(one.id));
  const auto after = add("after");
  start();  // the bytes of the failed group are on the disk, behind the end that the next segment names
  EXPECT_FALSE(engine_->find(one.id));
  EXPECT_TRUE(engine_->find(before));
  EXPECT_TRUE(engine_->find(after));
  EXPECT_TRUE(engine_->recovery().quarantined.empty());
}

TEST_F(engine_on_a_bad_disk, closes_intake_after_two_failures_until_a_sync_succeeds) {
  const auto id = add("x");
  maintain_all();
  auto one = message("y");
  disk_->failing_syncs = 2;
  EXPECT_FALSE(commit(one));
  EXPECT_TRUE(engine_->may_take_messages());
  EXPECT_FALSE(commit(one));
  EXPECT_FALSE(engine_->may_take_messages());
  EXPECT_FALSE(commit(one)) << "refused without touching the disk";
  EXPECT_TRUE(commit(outcome(id, 0, mail::Disposition::delivered))) << "outcomes are still tried";
  EXPECT_TRUE(engine_->may_take_messages());
  EXPECT_TRUE(commit(one));
}

TEST_F(engine_on_a_bad_disk, finds_out_by_itself_that_the_disk_works_again) {
  (void)add("x");
  maintain_all();
  const auto one = message("y");
  disk_->failing_syncs = 2;
  EXPECT_FALSE(commit(one));
  EXPECT_FALSE(commit(one));
  EXPECT_FALSE(engine_->may_take_messages());
  maintain_all();
  EXPECT_TRUE(engine_->may_take_messages());
}

TEST_F(engine_on_a_bad_disk, reports_and_keeps_a_segment_with_a_damaged_record) {
  const auto first = add(std::string(5000, 'a'));
  const auto second = add(std::string(5000, 'b'));
  const auto place = engine_->find(first)->data;
  flip(place.slot, place.offset + kRecordHeaderBytes + place.head_bytes + 100);
  start();
  const auto& report = engine_->recovery();
  ASSERT_EQ(report.quarantined.size(), 1U);
  EXPECT_EQ(report.quarantined[0].id, first);
  EXPECT_EQ(report.quarantined[0].file, segment_name(place.slot));
  EXPECT_FALSE(engine_->find(first));
  EXPECT_TRUE(engine_->find(second));
  ASSERT_TRUE(commit(outcome(second, 0, mail::Disposition::delivered)));
  maintain_all();
  EXPECT_EQ(engine_->stats().quarantined, 1U);
  start();
  EXPECT_EQ(engine_->recovery().quarantined.size(), 1U) << "still there";
}

TEST_F(engine_on_a_bad_disk, does_not_take_a_segment_whose_first_block_is_gone_for_an_empty_one) {
  const auto id = add("content");
  const auto slot = engine_->outline(id)->data.slot;
  engine_.reset();
  {
    std::fstream file(folder_ + "/" + segment_name(slot), std::ios::in | std::ios::out | std::ios::binary);
    file << std::string(kBlock, '\0');
  }
  std::ofstream(folder_ + "/" + content_name(id)) << "may be needed";
  start();
  ASSERT_EQ(engine_->recovery().quarantined.size(), 1U);
  EXPECT_EQ(engine_->recovery().quarantined[0].file, segment_name(slot));
  EXPECT_TRUE(engine_->recovery().orphans.empty());
  EXPECT_EQ(engine_->quarantined(), std::vector<std::uint32_t>{slot});
}

TEST_F(engine_on_a_bad_disk, finds_a_group_again_when_the_disk_can_read_it_again) {
  (void)add("before");
  const auto id = add("content");
  const auto place = engine_->find(id)->data;
  const auto group = place.offset / kBlock * kBlock;
  disk_->unreadable = {segment_name(place.slot), group, group + kBlock};
  start();
  EXPECT_FALSE(engine_->find(id));
  EXPECT_EQ(engine_->stats().quarantined, 1U);
  (void)add("after");
  disk_->unreadable = {};
  start();
  EXPECT_EQ(engine_->read_content(id), "content");
}

TEST_F(engine_on_a_bad_disk, writes_nothing_over_what_the_disk_could_not_read) {
  (void)add("before");
  const auto id = add("content");
  const auto place = engine_->find(id)->data;
  const auto group = place.offset / kBlock * kBlock;
  disk_->unreadable = {segment_name(place.slot), group, group + kBlock};
  start();
  for (int i = 0; i < 100; ++i) {  // until the segment behind it is used again
    const auto other = add(std::string(8000, 'x'));
    ASSERT_TRUE(commit(outcome(other, 0, mail::Disposition::delivered)));
    maintain_all();
  }
  EXPECT_GT(engine_->stats().log.segments_reset, 1U);
  disk_->unreadable = {};
  start();
  EXPECT_EQ(engine_->read_content(id), "content");
}

TEST_F(engine_on_a_bad_disk, adds_nothing_behind_an_end_that_an_unreadable_header_may_name) {
  (void)add("x");
  maintain_all();
  disk_->failing_syncs = 1;
  EXPECT_FALSE(commit(message("y")));
  const auto hidden = add("z");  // in the next segment, which names the end of the first
  disk_->unreadable = {segment_name(engine_->find(hidden)->data.slot), 0, kBlock};
  start();
  const auto later = add("later");
  disk_->unreadable = {};
  start();
  EXPECT_EQ(engine_->read_content(hidden), "z");
  EXPECT_EQ(engine_->read_content(later), "later");
}

TEST_F(engine_on_a_bad_disk, goes_on_behind_the_generation_of_a_header_that_could_not_be_read) {
  const auto id = add("x");
  maintain_all();
  disk_->failing_syncs = 1;
  EXPECT_FALSE(commit(message("y")));
  auto envelope = *engine_->read_envelope(id);
  const auto replace = [&](const std::string& address) {
    envelope.recipients[0] = *mail::Mailbox::from_wire(address);
    EXPECT_TRUE(commit(ReplaceEnvelope{id, envelope}));
  };
  replace("first@example.org");
  disk_->unreadable = {segment_name(engine_->find(id)->envelope.slot), 0, kBlock};
  start();
  replace("second@example.org");
  disk_->unreadable = {};
  start();
  EXPECT_EQ(engine_->read_envelope(id), envelope);
}

TEST_F(engine_on_a_bad_disk, knows_a_message_whose_reply_texts_cannot_be_read) {
  const auto id = add("x", 2);
  ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::deferred)));
  ASSERT_TRUE(commit(outcome(id, 1, mail::Disposition::failed)));
  EXPECT_EQ(text_of(id, 0), "reply");
  const auto place = engine_->find(id)->state.find(0)->texts_at;
  disk_->unreadable = {segment_name(place.slot), place.offset, place.offset + 1};
  auto message = *engine_->find(id);
  const auto read = engine_->read_texts(message);
  ASSERT_FALSE(read) << "now, perhaps not for ever";
  EXPECT_EQ(read.error().what_to_do, ErrorClass::temporary);
  disk_->unreadable = {};
  flip(place.slot, place.offset + kRecordHeaderBytes);
  EXPECT_EQ(text_of(id, 0), "") << "damaged";
  EXPECT_EQ(text_of(id, 1), "reply");
}

TEST_F(engine_on_a_bad_disk, is_the_same_spool_when_no_header_could_be_read_for_a_time) {
  const auto before = add("before");
  disk_->unreadable = {"", 0, kBlock};
  start();
  EXPECT_FALSE(engine_->find(before));
  const auto meanwhile = add("meanwhile");
  disk_->unreadable = {};
  start();
  EXPECT_EQ(engine_->read_content(before), "before");
  EXPECT_EQ(engine_->read_content(meanwhile), "meanwhile");
}

TEST_F(engine_on_a_bad_disk, leaves_a_place_where_writing_always_fails_although_spares_are_scarce) {
  options_.max_spool_bytes = 4 * kSegment;
  start();
  std::vector<QueueId> ids;
  for (int i = 0; i < 200; ++i) {
    auto one = message(std::string(9000, 'x'));
    ids.push_back(one.id);
    if (!commit(std::move(one))) break;
  }
  ids.pop_back();
  ASSERT_EQ(engine_->stats().spares, 1U);
  const auto bad = engine_->find(ids.back())->data.slot;
  disk_->unwritable = {segment_name(bad), kBlock, kSegment};
  Result<void> done;
  for (int tries = 0; tries < 10; ++tries) {
    done = commit(outcome(ids.front(), 0, mail::Disposition::delivered));
    if (done) break;
    for (int step = 0; step < 5; ++step) (void)engine_->maintain();
  }
  EXPECT_TRUE(done) << done.error().text;
}

TEST_F(engine_on_a_bad_disk, grows_although_the_header_of_a_segment_cannot_be_written) {
  (void)add("x");
  maintain_all();
  const auto used = engine_->find(add("y"))->data.slot;
  disk_->unwritable = {segment_name(used == 0 ? 1 : 0), 0, kBlock};
  for (int i = 0; i < 40; ++i) {
    auto one = message(std::string(9000, 'x'));
    if (!commit(one)) EXPECT_TRUE(commit(std::move(one))) << i << ": the next segment serves";
    for (int step = 0; step < 10; ++step) (void)engine_->maintain();
  }
  EXPECT_GE(engine_->stats().spares, 2U);
  EXPECT_FALSE(engine_->maintain()) << "and it says so";
}

TEST_F(engine_on_a_bad_disk, gives_up_a_segment_that_cannot_be_reset_while_the_disk_works_elsewhere) {
  const auto slot = engine_->find(add("x"))->data.slot;
  maintain_all();
  disk_->unwritable = {segment_name(slot), 0, kBlock};
  std::vector<QueueId> ids;
  for (int i = 0; i < 200; ++i) {
    ids.push_back(add(std::string(9000, 'x')));
    ASSERT_TRUE(commit(outcome(ids.back(), 0, mail::Disposition::delivered)));
    for (int step = 0; step < 10; ++step) (void)engine_->maintain();
  }
  EXPECT_LE(engine_->stats().quarantined, 1U);
  EXPECT_GT(engine_->stats().log.segments_reset, 10U);
  start();
  for (const auto id : ids) EXPECT_FALSE(engine_->find(id));
}

TEST_F(engine_on_a_bad_disk, gives_up_a_segment_that_cannot_be_reset_although_no_mail_comes) {
  std::vector<QueueId> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(add(std::string(9000, 'x')));
  const auto slot = engine_->find(ids.front())->data.slot;
  ASSERT_NE(engine_->find(ids.back())->data.slot, slot);
  maintain_all();
  options_.max_spool_bytes = engine_->stats().bytes;
  options_.spare_segments = static_cast<std::uint32_t>(options_.max_spool_bytes / kSegment - 2);
  ASSERT_TRUE(engine_->reconfigure(options_));
  disk_->unwritable = {segment_name(slot), 0, kBlock};
  for (const auto id : ids) ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::delivered)));
  for (int step = 0; step < 100 && engine_->stats().quarantined == 0; ++step) (void)engine_->maintain();
  EXPECT_EQ(engine_->stats().quarantined, 1U);
}

TEST_F(engine_on_a_bad_disk, does_not_try_to_grow_all_the_time_where_a_quota_forbids_it) {
  options_.max_spool_bytes = 100 * kSegment;
  start();
  for (int i = 0; i < 30; ++i) (void)add(std::string(9000, 'x'));
  maintain_all();
  disk_->quota_is_used_up = true;
  while (commit(message(std::string(9000, 'x')))) {
  }
  const auto before = disk_->written;
  for (int i = 0; i < 50; ++i) {
    (void)commit(message(std::string(9000, 'x')));
    (void)engine_->maintain();
  }
  EXPECT_LT(disk_->written - before, 5 * kSegment);
}

TEST_F(engine_on_a_bad_disk, tries_to_grow_again_after_the_same_time_however_the_clock_steps) {
  options_.max_spool_bytes = 100 * kSegment;
  start();
  maintain_all();
  disk_->quota_is_used_up = true;
  while (commit(message(std::string(9000, 'x')))) {
  }
  for (const auto step :
       {Seconds(0), Seconds(6), Seconds(-6), Seconds(86400LL * 365), Seconds(-86400LL * 366)}) {
    const auto before = disk_->written;
    clock_.wall = clock_.wall + step;
    clock_.pass(Seconds(4));
    (void)engine_->maintain();
    EXPECT_EQ(disk_->written, before) << "too early, after a step of " << step.count() << " s";
    clock_.pass(Seconds(1));
    (void)engine_->maintain();
    EXPECT_GT(disk_->written, before) << "late, after a step of " << step.count() << " s";
  }
  disk_->quota_is_used_up = false;
  clock_.wall = {0};
  clock_.pass(Seconds(5));
  EXPECT_TRUE(commit(message(std::string(9000, 'x'))));
}

TEST_F(engine_on_a_bad_disk, does_not_ask_a_dying_disk_for_every_block) {
  options_.segment_bytes = 16 * kSegment;
  options_.max_spool_bytes = 100 * kSegment * 16;
  std::filesystem::remove_all(folder_);
  std::filesystem::create_directory(folder_);
  disk_ = std::make_unique<FailingDisk>(folder_);
  start();
  const auto slot = engine_->find(add("x"))->data.slot;
  disk_->unreadable = {segment_name(slot), kBlock, 16 * kSegment};
  disk_->reads = 0;
  start();
  EXPECT_LT(disk_->reads, 250U) << "of 255 blocks, three times each";
  ASSERT_EQ(engine_->recovery().quarantined.size(), 1U) << "in one piece";
  EXPECT_EQ(engine_->recovery().quarantined[0].length, 16 * kSegment - kBlock);
}

TEST_F(engine_on_a_bad_disk, keeps_ids_apart_when_the_mark_may_have_been_damaged) {
  const auto used = engine_->lease(65536)->value + 65535;
  const auto id = add("x");
  flip(engine_->find(id)->data.slot, 40);
  start();
  EXPECT_FALSE(engine_->recovery().quarantined.empty());
  EXPECT_GT(engine_->lease(1)->value, used);
}

TEST_F(engine_on_a_bad_disk, reads_nothing_false_from_files_of_different_moments) {
  const auto copy = folder_ + "/copy";
  for (int round = 0; round < 20; ++round) {
    std::filesystem::remove_all(copy);
    std::filesystem::create_directory(copy);
    for (std::uint32_t slot = 0; slot < 20; ++slot) {
      const auto from = folder_ + "/" + segment_name(slot);
      if (std::filesystem::exists(from)) std::filesystem::copy_file(from, copy + "/" + segment_name(slot));
      const auto id = add(std::string(static_cast<std::size_t>(3000 + round), 'x'));
      if (slot % 3 != 0) ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::delivered)));
      for (int step = 0; step < 10; ++step) (void)engine_->maintain();
    }
    PosixDisk disk(UniqueFd(::open(copy.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
    auto opened = Engine::open(disk, clock_, options_);
    if (opened) {
      for (const auto& [position, id] : (*opened)->messages_after(0, 1000)) {
        const auto content = (*opened)->read_content(id);
        if (content)
          EXPECT_TRUE(content->find_first_not_of('x') == std::string::npos && content->size() >= 3000);
      }
    }
    for (const auto& [position, id] : engine_->messages_after(0, 1000)) {
      ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::deleted)));
    }
  }
}

TEST_F(engine_on_a_bad_disk, notices_damage_when_reading) {
  const auto id = add(std::string(5000, 'a'));
  const auto place = engine_->find(id)->data;
  flip(place.slot, place.offset + kRecordHeaderBytes + place.head_bytes + 4999);
  EXPECT_TRUE(engine_->read_envelope(id)) << "the envelope has a checksum of its own";
  const auto content = engine_->read_content(id);
  ASSERT_FALSE(content);
  EXPECT_EQ(content.error().what_to_do, ErrorClass::permanent);
}

TEST_F(engine_on_a_bad_disk, quarantines_what_it_cannot_move) {
  const auto id = add(std::string(5000, 'a'));
  const auto place = engine_->find(id)->data;
  flip(place.slot, place.offset + kRecordHeaderBytes + place.head_bytes + 4999);
  for (int i = 0; i < 100; ++i) {
    const auto other = add(std::string(8000, 'x'));
    ASSERT_TRUE(commit(outcome(other, 0, mail::Disposition::delivered)));
    for (int step = 0; step < 20; ++step) (void)engine_->maintain();
  }
  EXPECT_EQ(engine_->stats().quarantined, 1U);
  EXPECT_TRUE(engine_->find(id));
}

}  // namespace
}  // namespace sternpost::spool

#include "spool/checkpoint.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "spool/ending_disk.h"
#include "spool/engine_test_rig.h"

namespace sternpost::spool {
namespace {

TEST(checkpoint_seal, is_read_from_what_was_written_and_from_nothing_else) {
  const CheckpointSeal seal{7, 4096, 3, 99, {5, {1, 4, 8192}, {}}};
  auto block = encode_checkpoint_seal(seal);
  ASSERT_EQ(block.size(), kBlock);
  const auto read = decode_checkpoint_seal(block);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->serial, 7U);
  EXPECT_EQ(read->coverage.incoming, (SegmentEnd{1, 4, 8192}));
  EXPECT_FALSE(read->spent);
  block.replace(0, kSpentMagic.size(), kSpentMagic);
  const auto spent = decode_checkpoint_seal(block);
  ASSERT_TRUE(spent);
  EXPECT_TRUE(spent->spent);
  EXPECT_EQ(spent->serial, 7U) << "without which its pieces cannot be read";
  block[20] ^= 1;
  EXPECT_FALSE(decode_checkpoint_seal(block));
  EXPECT_FALSE(decode_checkpoint_seal(std::string(kBlock, '\0')));
  EXPECT_FALSE(decode_checkpoint_seal("STERN"));
}

TEST(checkpoint_piece, belongs_to_one_place_in_one_checkpoint) {
  const auto piece = frame_piece("body", 7, 2);
  EXPECT_EQ(unframe_piece(piece, 7, 2), "body");
  EXPECT_EQ(piece_bytes(piece), 4U);
  EXPECT_FALSE(unframe_piece(piece, 7, 1)) << "of another place";
  EXPECT_FALSE(unframe_piece(piece, 6, 2)) << "of the one that was in the file before";
  EXPECT_FALSE(unframe_piece(piece.substr(0, piece.size() - 1), 7, 2));
  EXPECT_FALSE(unframe_piece("", 7, 2));
}

TEST(coverage, is_of_older_segments_and_of_the_newest_up_to_their_ends) {
  const Coverage coverage{10, {3, 9, 8192}, {4, 7, 4096}};
  const auto segment = [](std::uint32_t slot, std::uint64_t generation) {
    return SegmentHeader{.slot = slot, .generation = generation, .previous = {}};
  };
  EXPECT_TRUE(coverage.covers(segment(1, 5), 1U << 20U));
  EXPECT_TRUE(coverage.covers(segment(3, 9), 4096));
  EXPECT_FALSE(coverage.covers(segment(3, 9), 8192)) << "written later";
  EXPECT_FALSE(coverage.covers(segment(4, 7), 4096));
  EXPECT_FALSE(coverage.covers(segment(1, 10), 4096)) << "opened later";
}

class checkpoint : public EngineRig {
 protected:
  [[nodiscard]] std::string path(std::size_t number) const {
    return folder_ + "/" + std::string(kCheckpointNames.at(number));
  }

  [[nodiscard]] std::optional<CheckpointSeal> seal_of(std::size_t number) const {
    return decode_checkpoint_seal(first_block(path(number)));
  }

  /// The number of the file that the next start uses.
  [[nodiscard]] std::size_t written_to() const {
    const auto serial = [&](std::size_t number) {
      const auto seal = seal_of(number);
      return seal && !seal->spent ? seal->serial : 0;
    };
    return serial(1) > serial(0) ? 1 : 0;
  }
  [[nodiscard]] std::string newest() const { return path(written_to()); }

  /// What the headers of all segments say.
  [[nodiscard]] std::uint64_t newest_generation() const {
    std::uint64_t newest = 0;
    for (const auto& file : std::filesystem::directory_iterator(folder_)) {
      auto fault = HeaderFault::blank;
      const auto header = decode_segment_header(first_block(file.path()), fault);
      if (header) newest = std::max(newest, header->generation);
    }
    return newest;
  }

  void write_checkpoint() {
    const auto written = engine_->write_checkpoint();
    ASSERT_TRUE(written) << written.error().text;
  }

  static void flip_at(const std::string& path, std::uint64_t offset) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(offset));
    const auto byte = static_cast<char>(file.get() ^ 1);
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(byte);
  }

  [[nodiscard]] const RecoveryReport& report() const { return engine_->recovery(); }
};

TEST_F(checkpoint, spares_a_start_the_log_that_it_covers) {
  std::vector<QueueId> ids;
  for (int i = 0; i < 100; ++i) ids.push_back(add(std::string(4000, 'x'), 2));
  ASSERT_TRUE(commit(outcome(ids[3], 0, mail::Disposition::delivered)));
  ASSERT_TRUE(commit(outcome(ids[3], 1, mail::Disposition::deferred)));
  ASSERT_TRUE(commit(outcome(ids[4], 0, mail::Disposition::delivered)));
  ASSERT_TRUE(commit(outcome(ids[4], 1, mail::Disposition::delivered)));
  ASSERT_TRUE(commit(Hold{ids[5]}));
  write_checkpoint();
  ASSERT_TRUE(commit(outcome(ids[6], 1, mail::Disposition::deferred)));
  ASSERT_TRUE(commit(outcome(ids[3], 1, mail::Disposition::deferred)));
  const auto later = add("later");
  start();
  EXPECT_TRUE(report().from_checkpoint) << report().no_checkpoint;
  EXPECT_EQ(report().groups, 3U) << "what came later";
  EXPECT_EQ(report().live, 100U);
  EXPECT_EQ(engine_->find(ids[3])->state.find(1)->attempts, 2U) << "once in each";
  EXPECT_EQ(engine_->find(ids[3])->state.open(), 1U);
  EXPECT_EQ(text_of(ids[3], 1), "reply");
  EXPECT_FALSE(engine_->find(ids[4]));
  EXPECT_TRUE(engine_->was_committed(ids[4]));
  EXPECT_TRUE(engine_->find(ids[5])->state.held);
  EXPECT_EQ(engine_->find(ids[6])->state.find(1)->attempts, 1U);
  EXPECT_EQ(engine_->read_content(ids[99]), std::string(4000, 'x'));
  EXPECT_EQ(engine_->read_content(later), "later");
  EXPECT_GT(add("x"), later) << "no id is given twice";
}

class rotten_end : public checkpoint {
 protected:
  /// Of the last message, which a checkpoint covers.
  void rot_at(std::uint64_t offset) {
    before_ = add("before");
    last_ = add(std::string(3 * kBlock, 'x'));
    const auto place = engine_->outline(last_)->data;
    write_checkpoint();
    engine_.reset();
    flip(place.slot, place.offset + std::min(offset, place.bytes() - 1));
  }

  Result<std::unique_ptr<Engine>> open(Disk& disk, CheckpointUse use) {
    ++options_.salt;
    return Engine::open(disk, clock_, options_, use);
  }

  void expect_damage(CheckpointUse use, const std::string& when) {
    const auto opened = open(*disk_, use);
    ASSERT_TRUE(opened) << when << ": " << opened.error().text;
    const auto& found = (*opened)->recovery();
    EXPECT_EQ(found.torn_tails, 0U) << when;
    ASSERT_EQ(found.quarantined.size(), 1U) << when;
    EXPECT_EQ(found.quarantined[0].id, last_) << when;
    EXPECT_EQ((*opened)->read_content(before_), "before") << when;
  }

  void expect_damage_wherever_a_life_ends(CheckpointUse use) {
    const auto saved = folder_ + ".saved";
    std::filesystem::copy(folder_, saved);
    std::uint64_t calls = 0;
    for (bool ended = true; ended && !HasFailure(); ++calls) {
      std::filesystem::remove_all(folder_);
      std::filesystem::copy(saved, folder_);
      disk_ = std::make_unique<FailingDisk>(folder_);
      EndingDisk ending(*disk_, calls);
      if (auto opened = open(ending, use)) {
        std::ignore = (*opened)->write_checkpoint();
        while ((*opened)->maintain().value_or(false)) {
        }
      }
      ended = ending.ended();
      const auto when = "after " + std::to_string(calls) + " calls";
      expect_damage(use, when);
    }
    EXPECT_GT(calls, 20U);
    std::filesystem::remove_all(saved);
  }

  static constexpr std::uint64_t kInside = kBlock / 2;  ///< the last block is as it was: the checkpoint fits
  static constexpr std::uint64_t kLastOctet = UINT64_MAX;
  QueueId before_;
  QueueId last_;
};

TEST_F(rotten_end, of_the_log_is_no_torn_tail_in_any_life) {
  rot_at(kLastOctet);
  for (int life = 0; life < 3; ++life) expect_damage(CheckpointUse::where_it_fits, std::to_string(life));
}

TEST_F(rotten_end, is_no_torn_tail_for_who_does_not_begin_with_the_checkpoint) {
  rot_at(kInside);
  for (int life = 0; life < 3; ++life) expect_damage(CheckpointUse::none, std::to_string(life));
}

TEST_F(rotten_end, is_no_torn_tail_beside_a_header_that_cannot_be_read) {
  rot_at(kLastOctet);
  const auto spare = spares().front();
  flip_at(spare, 20);
  for (const auto use : {CheckpointUse::where_it_fits, CheckpointUse::none}) {
    const auto opened = open(*disk_, use);
    ASSERT_TRUE(opened) << opened.error().text;
    const auto& found = (*opened)->recovery();
    EXPECT_EQ(found.torn_tails, 0U);
    EXPECT_EQ(found.quarantined.size(), 2U);
    EXPECT_EQ(found.quarantined.back().id, last_);
  }
}

TEST_F(rotten_end, is_no_torn_tail_wherever_a_start_ended) {
  rot_at(kLastOctet);
  expect_damage_wherever_a_life_ends(CheckpointUse::where_it_fits);
}

TEST_F(rotten_end, is_no_torn_tail_wherever_a_start_ended_that_did_not_begin_with_the_checkpoint) {
  rot_at(kInside);
  expect_damage_wherever_a_life_ends(CheckpointUse::none);
}

TEST_F(rotten_end, is_no_torn_tail_wherever_a_start_ended_that_had_no_spare) {
  rot_at(kLastOctet);
  for (const auto& spare : spares()) std::filesystem::resize_file(spare, 0);
  expect_damage_wherever_a_life_ends(CheckpointUse::where_it_fits);
}

TEST_F(rotten_end, is_no_torn_tail_where_the_disk_fails_to_read_the_checkpoint_for_a_moment) {
  rot_at(kLastOctet);
  const std::string name(kCheckpointNames[written_to()]);
  for (const auto& spare : spares()) std::filesystem::resize_file(spare, 0);  // no header names the end
  for (const std::uint64_t at : {std::uint64_t{0}, kBlock}) {
    disk_->unreadable = {name, at, at + 1};
    disk_->unreadable_times = kReadTries - 1;
    expect_damage(CheckpointUse::where_it_fits, std::to_string(at));
    EXPECT_EQ(disk_->unreadable_times, 0U);
  }
}

TEST_F(rotten_end, is_no_torn_tail_any_more_when_the_checkpoint_can_be_read_again) {
  rot_at(kLastOctet);
  disk_->unreadable = {std::string(kCheckpointNames[written_to()]), 0, 1};
  for (int life = 0; life < 2; ++life) {
    const auto opened = open(*disk_, CheckpointUse::where_it_fits);
    ASSERT_TRUE(opened) << opened.error().text;
    EXPECT_EQ((*opened)->recovery().torn_tails, 1U) << "which nobody can tell from damage";
    EXPECT_EQ((*opened)->recovery().no_checkpoint, "its first block cannot be read");
  }
  disk_->unreadable = {};
  expect_damage(CheckpointUse::where_it_fits, "read again");
}

TEST_F(checkpoint, is_written_by_upkeep_when_there_is_enough_to_cover) {
  for (int i = 0; i < 100; ++i) (void)add(std::string(4000, 'x'));
  maintain_all();
  EXPECT_EQ(engine_->stats().checkpoints, 0U);
  auto options = options_;
  options.checkpoint_bytes = kBlock;
  ASSERT_TRUE(engine_->reconfigure(options));
  maintain_all();
  EXPECT_EQ(engine_->stats().checkpoints, 1U);
  maintain_all();
  EXPECT_EQ(engine_->stats().checkpoints, 1U) << "nothing is new";
  start();
  EXPECT_TRUE(report().from_checkpoint);
  EXPECT_EQ(report().live, 100U);
}

TEST_F(checkpoint, what_was_recycled_since_is_where_it_was_moved) {
  const auto kept = add(std::string(3000, 'k'), 2);
  const auto dead = add("dead");
  ASSERT_TRUE(commit(outcome(kept, 0, mail::Disposition::deferred)));
  write_checkpoint();
  ASSERT_TRUE(commit(outcome(dead, 0, mail::Disposition::delivered)));
  const auto before = engine_->find(kept)->data;
  for (int i = 0; i < 200 || engine_->find(kept)->data == before; ++i) {
    const auto id = add(std::string(8000, 'x'));
    ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::delivered)));
    maintain_all();
  }
  for (int life = 0; life < 2; ++life, start()) {
    EXPECT_EQ(engine_->stats().live, 1U);
    EXPECT_EQ(engine_->read_content(kept), std::string(3000, 'k'));
    EXPECT_EQ(engine_->find(kept)->state.find(0)->attempts, 1U);
    EXPECT_EQ(text_of(kept, 0), "reply");
    EXPECT_FALSE(engine_->find(dead));
  }
}

TEST_F(checkpoint, that_is_damaged_is_not_used) {
  const auto id = add("content");
  for (const std::uint64_t offset : {std::uint64_t{16}, kBlock + 20, kBlock + kPieceHeaderBytes + 200}) {
    (void)add("more");
    write_checkpoint();
    flip_at(newest(), offset);
    start();
    EXPECT_FALSE(report().from_checkpoint) << offset;
    EXPECT_EQ(engine_->read_content(id), "content");
    start();
    EXPECT_FALSE(report().from_checkpoint) << "nor is an older one, which the log did not go on from";
  }
}

TEST_F(checkpoint, that_could_not_be_read_is_not_used_when_it_can_be) {
  const auto id = add("content");
  write_checkpoint();
  const auto file = written_to();
  disk_->unreadable = {std::string(kCheckpointNames[file]), 0, 1};
  start();
  EXPECT_EQ(report().no_checkpoint, "its first block cannot be read");
  ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::delivered)));
  const auto later = add("later");
  maintain_all();
  EXPECT_GT(newest_generation(), 1ULL << 32U) << "the checkpoint may know of smaller ones";
  disk_->unreadable = {};
  start();
  EXPECT_FALSE(report().from_checkpoint);
  EXPECT_EQ(report().no_checkpoint, "");
  EXPECT_FALSE(engine_->find(id));
  EXPECT_EQ(engine_->read_content(later), "later");
  ASSERT_TRUE(seal_of(file)) << "what it proves is still there";
  EXPECT_TRUE(seal_of(file)->spent);
}

TEST_F(checkpoint, that_cannot_be_read_is_emptied_where_it_cannot_be_made_spent) {
  const auto id = add("content");
  write_checkpoint();
  const auto file = written_to();
  disk_->unreadable = disk_->unwritable = {std::string(kCheckpointNames[file]), 0, 1};
  start();
  EXPECT_EQ(std::filesystem::file_size(path(file)), 0U);
  EXPECT_EQ(engine_->read_content(id), "content");
}

TEST_F(checkpoint, of_what_the_log_has_not_got_is_not_used) {
  const auto id = add("content");
  const auto earlier = folder_ + "-earlier";
  std::filesystem::copy(folder_, earlier);
  ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::delivered)));
  write_checkpoint();
  // The disk with the segments comes back as it was some time ago.
  for (const auto& file : std::filesystem::directory_iterator(earlier)) {
    std::filesystem::copy(file, folder_, std::filesystem::copy_options::overwrite_existing);
  }
  std::filesystem::remove_all(earlier);
  start();
  EXPECT_FALSE(report().from_checkpoint);
  EXPECT_NE(report().no_checkpoint, "");
  EXPECT_EQ(engine_->read_content(id), "content") << "it is not taken for finished";
}

TEST_F(checkpoint, of_another_spool_is_not_used) {
  (void)add("theirs");
  write_checkpoint();
  const auto theirs = folder_ + "-checkpoint";
  std::filesystem::copy(newest(), theirs);
  engine_.reset();
  std::filesystem::remove_all(folder_);
  std::filesystem::create_directory(folder_);
  disk_ = std::make_unique<FailingDisk>(folder_);
  options_.salt = 4711;
  start();
  const auto ours = add("ours");
  std::filesystem::copy(theirs, path(0), std::filesystem::copy_options::overwrite_existing);
  std::filesystem::remove(theirs);
  start();
  EXPECT_FALSE(report().from_checkpoint);
  EXPECT_EQ(report().no_checkpoint, "it belongs to another spool");
  EXPECT_EQ(engine_->read_content(ours), "ours");
}

TEST_F(checkpoint, leaves_the_disk_to_the_queue) {
  (void)add("x");
  disk_->free = kBlock;
  EXPECT_FALSE(engine_->write_checkpoint());
  start();
  EXPECT_FALSE(report().from_checkpoint);
  EXPECT_EQ(report().live, 1U);
}

TEST_F(checkpoint, does_not_make_durable_what_is_in_memory_alone) {
  options_.max_spool_bytes = 4 * kSegment;
  options_.checkpoint_bytes = kBlock;
  start();
  std::vector<QueueId> ids;
  for (;;) {
    auto one = message(std::string(8000, 'x'));
    ids.push_back(one.id);
    if (!commit(std::move(one))) break;
  }
  ids.pop_back();
  unsigned deferrals = 0;
  while (engine_->stats().deferrals_in_memory == 0) {
    ASSERT_TRUE(commit(outcome(ids[deferrals++ % ids.size()], 0, mail::Disposition::deferred)));
  }
  write_checkpoint();
  start();
  EXPECT_FALSE(report().from_checkpoint);
  EXPECT_EQ(report().live, ids.size());
}

}  // namespace
}  // namespace sternpost::spool

// What a step of upkeep costs at most, so that no commit waits long for one.
#include <gtest/gtest.h>

#include <algorithm>

#include "spool/engine_test_rig.h"
#include "spool/pace.h"

namespace sternpost::spool {
namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;

class upkeep : public EngineRig {
 protected:
  upkeep() {
    options_.segment_bytes = 4 * kMiB;
    options_.spare_segments = 3;
    options_.max_spool_bytes = 8 * options_.segment_bytes;
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directory(folder_);
    disk_ = std::make_unique<FailingDisk>(folder_);
    start();
    maintain_all();
  }

  /// In one group; the ids of its messages.
  std::vector<QueueId> add_some(std::size_t count, std::size_t bytes = 8000) {
    std::vector<Op> ops;
    std::vector<QueueId> ids;
    for (std::size_t i = 0; i < count; ++i) {
      auto one = message(std::string(bytes, 'x'));
      ids.push_back(one.id);
      ops.emplace_back(std::move(one));
    }
    commit_all(ops);
    return ids;
  }

  /// Segments that are soon full, and so many that spares are left.
  void make_segments_small() {
    options_.segment_bytes = kMiB;
    options_.spare_segments = 8;
    options_.max_spool_bytes = 10 * kMiB;
    start();
    maintain_all();
  }

  /// Until a segment is empty.
  void maintain_until_reset() {
    const auto before = engine_->stats().log.segments_reset;
    while (engine_->stats().log.segments_reset == before) ASSERT_TRUE(engine_->maintain().value_or(false));
  }

  void end(std::span<const QueueId> ids) {
    std::vector<Op> ops;
    for (const auto id : ids) ops.emplace_back(outcome(id, 0, mail::Disposition::delivered));
    commit_all(ops);
  }

  std::uint64_t commits_ = 0;  ///< each is a group

 private:
  void commit_all(const std::vector<Op>& ops) {
    ++commits_;
    for (const auto& result : engine_->commit(ops)) EXPECT_TRUE(result) << result.error().text;
  }
};

TEST_F(upkeep, reads_a_part_of_a_segment_in_one_step_although_nothing_is_needed_of_it) {
  const auto kept = add_some(1).front();
  for (int i = 0; i < 100; ++i) end(add_some(16));
  const auto reset_before = engine_->stats().log.segments_reset;
  std::uint64_t most = 0;
  bool more = true;
  for (auto before = disk_->bytes_read; more; before = disk_->bytes_read) {
    const auto step = engine_->maintain();
    ASSERT_TRUE(step) << step.error().text;
    more = *step;
    most = std::max(most, disk_->bytes_read - before);
  }
  EXPECT_GT(engine_->stats().log.segments_reset, reset_before);
  EXPECT_LE(most, kMiB + kMiB / 2) << "and of the group in which that ends the rest";
  for (int life = 0; life < 2; ++life, start())
    EXPECT_EQ(engine_->read_content(kept), std::string(8000, 'x'));
}

TEST_F(upkeep, forgets_a_segment_of_many_small_messages_in_steps_before_it_is_a_spare) {
  make_segments_small();
  std::vector<QueueId> kept;
  for (int i = 0; i < 150; ++i) {
    const auto ids = add_some(100, 10);
    end(std::span(ids).first(99));
    kept.push_back(ids.back());
  }
  maintain_until_reset();
  const auto before = engine_->stats();
  ASSERT_TRUE(engine_->maintain());
  const auto forgotten = before.finished - engine_->stats().finished;
  EXPECT_GT(forgotten, 0U);
  EXPECT_LE(forgotten, 128U) << "and the others in other steps";
  EXPECT_EQ(engine_->stats().spares, before.spares);
  while (engine_->stats().spares == before.spares) ASSERT_TRUE(engine_->maintain().value_or(false));
  EXPECT_GT(before.finished - engine_->stats().finished, 1000U);
  for (int life = 0; life < 2; ++life, start()) {
    EXPECT_EQ(engine_->stats().live, kept.size());
    for (const auto id : kept) ASSERT_EQ(engine_->read_content(id), std::string(10, 'x'));
  }
}

TEST_F(upkeep, a_checkpoint_that_remembers_an_empty_segment_is_as_good_as_the_log) {
  make_segments_small();
  const auto kept = add_some(1).front();
  for (int i = 0; i < 150; ++i) end(add_some(100, 10));
  maintain_until_reset();
  ASSERT_TRUE(engine_->write_checkpoint());
  const auto remembered = engine_->stats().finished;
  start();
  ASSERT_TRUE(engine_->recovery().from_checkpoint);
  const auto by_checkpoint = engine_->stats();
  EXPECT_LT(by_checkpoint.finished, remembered);
  engine_.reset();
  auto by_log = Engine::open(*disk_, clock_, options_, CheckpointUse::none);
  ASSERT_TRUE(by_log);
  engine_ = std::move(*by_log);
  EXPECT_EQ(engine_->stats().finished, by_checkpoint.finished);
  EXPECT_EQ(engine_->stats().needed_bytes, by_checkpoint.needed_bytes);
  EXPECT_EQ(engine_->read_content(kept), std::string(8000, 'x'));
}

TEST_F(upkeep, keeps_up_with_commits_in_steps_like_theirs_while_much_of_each_segment_is_moved) {
  std::vector<QueueId> live;
  std::uint64_t most = 0;
  std::size_t least_spares = 3;
  for (int i = 0; i < 700; ++i) {
    auto ids = add_some(8);
    const std::span all(ids);
    end(all.first(5));
    live.insert(live.end(), ids.begin() + 5, ids.end());
    if (live.size() > 1000) {
      end(std::span(live).first(3));
      live.erase(live.begin(), live.begin() + 3);
    }
    const auto before = disk_->written;
    ASSERT_TRUE(engine_->maintain(Upkeep::pressing));
    most = std::max(most, disk_->written - before);
    least_spares = std::min<std::size_t>(least_spares, engine_->stats().spares);
  }
  EXPECT_GT(engine_->stats().log.groups, commits_ + 50) << "moving was under way all the time";
  EXPECT_GT(engine_->stats().log.deferred_groups, 50U) << "and to where mail stays";
  EXPECT_LE(most, kUpkeepStep);
  EXPECT_GE(least_spares, 1U) << "no commit had to wait until there was room";
  for (int life = 0; life < 2; ++life, start()) {
    EXPECT_EQ(engine_->stats().live, live.size());
    for (const auto id : {live.front(), live[live.size() / 2], live.back()}) {
      EXPECT_EQ(engine_->read_content(id), std::string(8000, 'x'));
    }
  }
}

}  // namespace
}  // namespace sternpost::spool

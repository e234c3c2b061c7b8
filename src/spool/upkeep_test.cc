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
  std::vector<QueueId> add_some(std::size_t count) {
    std::vector<Op> ops;
    std::vector<QueueId> ids;
    for (std::size_t i = 0; i < count; ++i) {
      auto one = message(std::string(8000, 'x'));
      ids.push_back(one.id);
      ops.emplace_back(std::move(one));
    }
    commit_all(ops);
    return ids;
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

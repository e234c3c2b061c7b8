// The deferred log on a disk of its own.
#include <fcntl.h>

#include "spool/engine_test_rig.h"

namespace sternpost::spool {
namespace {

class engine_with_two_disks : public EngineRig {
 protected:
  engine_with_two_disks() : other_(folder_ + "/other") {
    std::filesystem::create_directory(other_);
    second_disk_ = std::make_unique<FailingDisk>(other_);
    options_.spare_segments = 4;
    start();
  }
  /// Segments are recycled, and what stays in them is moved.
  void recycle(std::size_t segments) {
    for (const auto until = engine_->stats().log.segments_reset + segments;
         engine_->stats().log.segments_reset < until;) {
      const auto id = add(std::string(8000, 'x'));
      ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::delivered)));
      while (engine_->maintain().value_or(false)) {
      }
    }
  }
  [[nodiscard]] bool is_on_second_disk(QueueId id) const {
    return std::filesystem::exists(other_ + "/" + segment_name(engine_->find(id)->data.slot));
  }

  std::string other_;
};

TEST_F(engine_with_two_disks, moves_mail_that_stays_to_the_second_one) {
  const auto kept = add(std::string(3000, 'k'));
  recycle(6);
  EXPECT_TRUE(is_on_second_disk(kept));
  const auto fresh = add("new");
  EXPECT_FALSE(is_on_second_disk(fresh));
  start();
  EXPECT_EQ(engine_->read_content(kept), std::string(3000, 'k'));
  EXPECT_EQ(engine_->read_content(fresh), "new");
}

TEST_F(engine_with_two_disks, does_not_move_the_end_of_the_deferred_log_to_and_fro) {
  const auto rests = [this] {
    for (int steps = 0; steps < 1000; ++steps) {
      if (!engine_->maintain().value_or(false)) return true;
    }
    return false;
  };
  const auto has_two = [this] { return std::filesystem::exists(other_ + "/" + segment_name(5)); };
  while (!has_two()) ASSERT_TRUE(engine_->maintain().value_or(false));
  second_disk_->free = 0;  // fewer than are wanted, and none to be had
  const auto kept = add(std::string(3000, 'k'));
  for (int i = 0; i < 60; ++i) {
    const auto id = add(std::string(8000, 'x'));
    ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::delivered)));
    ASSERT_TRUE(rests());
  }
  EXPECT_TRUE(is_on_second_disk(kept));
}

TEST_F(engine_with_two_disks, leaves_to_the_first_one_what_lower_limits_do_not_allow_the_second_one) {
  const auto used_there = [this] {
    std::uint64_t bytes = 0;
    for (const auto& file : std::filesystem::directory_iterator(other_)) bytes += file.file_size();
    return bytes / options_.segment_bytes;
  };
  maintain_all();
  EXPECT_EQ(used_there(), 3U);
  options_.spare_segments = 5;
  options_.max_spool_bytes = 8 * options_.segment_bytes;  // seven of them the first one's
  ASSERT_TRUE(engine_->reconfigure(options_));
  maintain_all();
  EXPECT_EQ(used_there(), 1U);
  EXPECT_EQ(engine_->stats().spares, 6U);
  EXPECT_LE(engine_->stats().bytes, options_.max_spool_bytes);
}

TEST_F(engine_with_two_disks, keeps_mail_on_the_first_one_while_the_second_one_fails) {
  second_disk_->failing_syncs = 1 << 30U;
  const auto kept = add(std::string(3000, 'k'));
  recycle(6);
  EXPECT_FALSE(is_on_second_disk(kept));
  second_disk_->failing_syncs = 0;
  start();
  EXPECT_EQ(engine_->read_content(kept), std::string(3000, 'k'));
}

TEST_F(engine_with_two_disks, does_not_start_without_the_second_one) {
  const auto kept = add(std::string(3000, 'k'));
  recycle(6);
  engine_.reset();
  const auto alone = Engine::open(*disk_, clock_, options_);
  ASSERT_FALSE(alone);
  EXPECT_NE(alone.error().text.find("is missing"), std::string::npos) << alone.error().text;
  for (const auto& file : std::filesystem::directory_iterator(other_)) {
    std::filesystem::rename(file.path(), folder_ + "/" + file.path().filename().string());
  }
  second_disk_.reset();
  start();
  EXPECT_EQ(engine_->read_content(kept), std::string(3000, 'k')) << "files may move from one to the other";
}

TEST_F(engine_with_two_disks, refuses_a_segment_of_another_spool) {
  const auto foreign = folder_ + "/foreign";
  std::filesystem::create_directory(foreign);
  PosixDisk disk(UniqueFd(::open(foreign.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
  auto options = options_;
  options.salt = 4711;
  options.spare_segments = 12;
  auto other = Engine::open(disk, clock_, options);
  ASSERT_TRUE(other);
  while ((*other)->maintain().value_or(false)) {
  }
  (void)add("ours");
  engine_.reset();
  std::filesystem::copy_file(foreign + "/" + segment_name(11), other_ + "/" + segment_name(11));
  const auto opened = Engine::open(Disks(*disk_, second_disk_.get()), clock_, options_);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().text.find("another spool"), std::string::npos) << opened.error().text;
}

}  // namespace
}  // namespace sternpost::spool

#include "service/spool/content_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <semaphore>

#include "spool/engine_test_rig.h"

namespace sternpost::spool_service {
namespace {

/// Fails where it is told to, and makes the file of one message no sooner than it is let.
class HeldDisk : public spool::FailingDisk {
 public:
  using FailingDisk::FailingDisk;
  Result<std::unique_ptr<spool::DiskFile>> create(const std::string& name) override {
    if (const auto gate = gates_.find(name); gate != gates_.end()) {
      ++held;
      gate->second.acquire();
    }
    return FailingDisk::create(name);
  }
  Result<void> sync_directory() override {
    ++folder_syncs;
    if (folder_fails) return fail_errno("syncing the folder", EIO);
    return FailingDisk::sync_directory();
  }

  /// Before the thread is asked for anything.
  void hold(QueueId id) { gates_.try_emplace(spool::content_name(id), 0); }
  void let(QueueId id) { gates_.at(spool::content_name(id)).release(); }

  std::atomic<std::size_t> held = 0;  ///< that wait, or waited
  std::atomic<std::size_t> folder_syncs = 0;
  std::atomic<bool> folder_fails = false;

 private:
  std::map<std::string, std::binary_semaphore> gates_;
};

constexpr QueueId kFirst{1};
constexpr QueueId kOther{2};
constexpr QueueId kBefore{1000};
const std::string kPiece(1000, 'p');

class content_thread : public testing::Test {
 protected:
  content_thread() {
    char name[] = "/tmp/sternpost-contents-XXXXXX";
    folder_ = ::mkdtemp(name);
    disk_ = std::make_unique<HeldDisk>(folder_);
    disk_->hold(kBefore);
    auto started = ContentThread::start(
        loop_, *disk_,
        {[this](QueueId id, std::size_t bytes, const Result<void>& result) {
           EXPECT_EQ(bytes, kPiece.size());
           written_[id].push_back(result.has_value());
         },
         [this](QueueId id, Result<spool::ContentFile> file) { finished_.emplace(id, std::move(file)); }});
    EXPECT_TRUE(started);
    thread_ = std::move(*started);
  }
  ~content_thread() override {
    thread_.reset();
    std::filesystem::remove_all(folder_);
  }

  /// What is asked for until then is one batch.
  void hold_batch() {
    thread_->write(kBefore, kPiece);
    while (disk_->held == 0) std::this_thread::yield();
  }
  void let_batch() { disk_->let(kBefore); }
  void settle() {
    while (thread_->unanswered() > 0) loop_.run_one();
  }
  [[nodiscard]] bool has_file(QueueId id) const {
    return std::filesystem::exists(folder_ + "/" + spool::content_name(id));
  }
  [[nodiscard]] bool is_durable(QueueId id) const {
    const auto at = finished_.find(id);
    return at != finished_.end() && at->second.has_value();
  }

  std::string folder_;
  std::unique_ptr<HeldDisk> disk_;
  boost::asio::io_context loop_;
  std::unique_ptr<ContentThread> thread_;
  std::map<QueueId, std::vector<bool>> written_;
  std::map<QueueId, Result<spool::ContentFile>> finished_;
};

TEST_F(content_thread, writes_pieces_in_order_and_says_what_the_file_holds) {
  thread_->write(kFirst, kPiece);
  thread_->finish(kOther, "whole");
  thread_->write(kFirst, std::string(kPiece.size(), 'q'));
  thread_->finish(kFirst, "end");
  settle();
  const auto all = kPiece + std::string(kPiece.size(), 'q') + "end";
  ASSERT_TRUE(is_durable(kFirst));
  std::string read;
  const auto sink = [&](std::string_view piece) {
    read += piece;
    return Result<void>{};
  };
  EXPECT_TRUE(spool::read_content(*disk_, kFirst, *finished_.at(kFirst), sink));
  EXPECT_EQ(read, all);
  ASSERT_TRUE(is_durable(kOther));
  EXPECT_EQ(finished_.at(kOther)->bytes, 5U);
}

TEST_F(content_thread, drops_what_follows_a_piece_that_failed_though_the_end_was_asked_for_with_it) {
  disk_->unwritable = {spool::content_name(kFirst), kPiece.size(), kPiece.size() + 1};
  hold_batch();
  for (int i = 0; i < 3; ++i) thread_->write(kFirst, kPiece);
  thread_->finish(kFirst, "end");
  thread_->finish(kOther, "other");
  let_batch();
  settle();
  EXPECT_EQ(written_[kFirst], (std::vector<bool>{true, false, false}));
  ASSERT_FALSE(is_durable(kFirst));
  EXPECT_EQ(finished_.at(kFirst).error().errno_value, EIO);
  EXPECT_FALSE(has_file(kFirst));
  EXPECT_TRUE(is_durable(kOther));
  EXPECT_TRUE(has_file(kOther));
}

TEST_F(content_thread, says_what_the_disk_did_not_sync_and_removes_it) {
  disk_->failing_syncs = 1;
  thread_->write(kFirst, kPiece);
  thread_->finish(kFirst, "end");
  thread_->finish(kOther, "other");
  settle();
  EXPECT_FALSE(is_durable(kFirst));
  EXPECT_FALSE(has_file(kFirst));
  EXPECT_TRUE(is_durable(kOther));
}

TEST_F(content_thread, neither_writes_nor_removes_a_file_that_was_there_before) {
  for (const auto id : {kFirst, kOther}) {
    std::ofstream(folder_ + "/" + spool::content_name(id)) << "not ours";
  }
  thread_->write(kFirst, kPiece);
  thread_->finish(kFirst, "end");
  thread_->write(kOther, kPiece);
  thread_->remove(kOther);
  settle();
  ASSERT_FALSE(is_durable(kFirst));
  EXPECT_EQ(finished_.at(kFirst).error().errno_value, EEXIST);
  EXPECT_EQ(written_[kOther], std::vector<bool>{false});
  thread_.reset();  // has done all that was asked for
  for (const auto id : {kFirst, kOther}) {
    std::string content;
    std::getline(std::ifstream(folder_ + "/" + spool::content_name(id)), content);
    EXPECT_EQ(content, "not ours");
  }
}

TEST_F(content_thread, calls_none_durable_whose_names_were_synced_together_and_failed) {
  hold_batch();
  disk_->folder_fails = true;
  for (const auto id : {kFirst, kOther}) thread_->finish(id, "content");
  let_batch();
  settle();
  for (const auto id : {kFirst, kOther}) {
    EXPECT_FALSE(is_durable(id));
    EXPECT_FALSE(has_file(id));
  }
  disk_->folder_fails = false;
  thread_->finish(kFirst, "again");
  settle();
  EXPECT_EQ(disk_->folder_syncs, 2U) << "one for all that are finished together";
}

TEST_F(content_thread, says_what_is_written_before_it_comes_to_what_was_asked_for_later) {
  disk_->hold(kOther);
  hold_batch();
  thread_->write(kFirst, kPiece);
  thread_->finish(kOther, "slow");
  let_batch();
  while (written_[kFirst].empty()) loop_.run_one();
  EXPECT_EQ(thread_->unanswered(), 1U);
  disk_->let(kOther);
  settle();
  EXPECT_TRUE(is_durable(kOther));
}

TEST_F(content_thread, has_the_first_of_many_not_wait_for_the_syncs_of_all) {
  constexpr std::uint64_t kMany = 200;
  const QueueId last{kMany};
  disk_->hold(last);
  hold_batch();
  for (std::uint64_t i = 1; i <= kMany; ++i) thread_->finish({i}, "content");
  let_batch();
  while (!is_durable(kFirst)) loop_.run_one();
  EXPECT_FALSE(finished_.contains(last));
  disk_->let(last);
  settle();
  EXPECT_TRUE(is_durable(last));
}

TEST_F(content_thread, keeps_no_descriptor_of_what_is_removed) {
  const auto descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  const auto before = descriptors();
  thread_->write(kFirst, kPiece);
  settle();
  EXPECT_EQ(descriptors(), before + 1);
  thread_->remove(kFirst);
  thread_->finish(kOther, "behind it");
  settle();
  EXPECT_EQ(descriptors(), before);
  EXPECT_FALSE(has_file(kFirst));
}

}  // namespace
}  // namespace sternpost::spool_service

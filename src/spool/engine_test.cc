#include "spool/engine.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "spool/posix_disk.h"

namespace sternpost::spool {
namespace {

constexpr std::uint64_t kSegment = 64 * 1024;

/// The real disk, which can be told to fail.
class FailingDisk : public Disk {
 public:
  explicit FailingDisk(const std::string& path)
      : disk_(UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY))) {}

  /// In the worst order, which is the same every time.
  Result<std::vector<std::string>> list() override {
    auto names = disk_.list();
    if (names) std::ranges::sort(*names, std::greater{});
    return names;
  }
  Result<std::unique_ptr<DiskFile>> open(const std::string& name) override {
    auto file = disk_.open(name);
    if (!file) return file;
    return std::make_unique<File>(*this, name, std::move(*file));
  }
  Result<void> remove(const std::string& name) override { return disk_.remove(name); }
  Result<void> sync_directory() override { return disk_.sync_directory(); }
  Result<std::uint64_t> free_bytes() override { return free; }

  /// Bytes of a file.
  struct Range {
    std::string file;
    std::uint64_t from = 0;
    std::uint64_t to = 0;
    [[nodiscard]] bool meets(const std::string& name, std::uint64_t offset, std::uint64_t length) const {
      return name == file && offset < to && offset + length > from;
    }
  };

  int failing_syncs = 0;
  Range unreadable;
  Range unwritable;
  bool quota_is_used_up = false;  ///< no file grows, whatever `free` says
  std::uint64_t written = 0;
  std::uint64_t reads = 0;
  std::uint64_t free = 1ULL << 40U;

 private:
  class File : public DiskFile {
   public:
    File(FailingDisk& disk, std::string name, std::unique_ptr<DiskFile> file)
        : disk_(disk), name_(std::move(name)), file_(std::move(file)) {}
    Result<void> write(std::uint64_t offset, std::string_view bytes) override {
      disk_.written += bytes.size();
      if (disk_.unwritable.meets(name_, offset, bytes.size())) return fail_errno("writing", EIO);
      if (disk_.quota_is_used_up && offset + bytes.size() > file_->size().value_or(0)) {
        return fail_errno("writing", EDQUOT);
      }
      return file_->write(offset, bytes);
    }
    Result<std::size_t> read(std::uint64_t offset, std::span<char> out) override {
      ++disk_.reads;
      if (disk_.unreadable.meets(name_, offset, out.size())) return fail_errno("reading", EIO);
      return file_->read(offset, out);
    }
    Result<void> sync() override {
      if (disk_.failing_syncs > 0) {
        --disk_.failing_syncs;
        return fail_errno("syncing", EIO);
      }
      return file_->sync();
    }
    Result<std::uint64_t> size() override { return file_->size(); }

   private:
    FailingDisk& disk_;
    std::string name_;
    std::unique_ptr<DiskFile> file_;
  };

  PosixDisk disk_;
};

class engine : public testing::Test {
 protected:
  engine() {
    char name[] = "/tmp/sternpost-spool-XXXXXX";
    folder_ = ::mkdtemp(name);
    disk_ = std::make_unique<FailingDisk>(folder_);
    options_ = {.segment_bytes = kSegment,
                .spare_segments = 2,
                .max_message_bytes = 16384,
                .max_spool_bytes = 20 * kSegment,
                .min_free_bytes = 0,
                .max_group_bytes = 1 << 20U,
                .salt = 99};
    start();
  }
  ~engine() override { std::filesystem::remove_all(folder_); }

  void start() {
    engine_.reset();
    ++options_.salt;
    auto opened = Engine::open(*disk_, clock_, options_);
    ASSERT_TRUE(opened) << opened.error().text;
    engine_ = std::move(*opened);
  }

  AddMessage message(std::string content, std::uint32_t recipients = 1) {
    AddMessage add{*engine_->lease(1), {}, std::move(content), false};
    for (std::uint32_t i = 0; i < recipients; ++i) {
      add.envelope.recipients.push_back(
          *mail::Mailbox::from_wire("user" + std::to_string(i) + "@example.org"));
    }
    add.envelope.origin.session = "s1";
    return add;
  }

  Result<void> commit(Op op) {
    const std::vector<Op> ops{std::move(op)};
    return engine_->commit(ops).front();
  }

  QueueId add(std::string content, std::uint32_t recipients = 1) {
    auto one = message(std::move(content), recipients);
    const auto id = one.id;
    const auto added = commit(std::move(one));
    EXPECT_TRUE(added) << added.error().text;
    return id;
  }

  static RecordOutcomes outcome(QueueId id, std::uint32_t recipient, mail::Disposition disposition) {
    return {id, {{recipient, disposition, {250, {2, 0, 0}, "reply"}, WallTime{5}}}};
  }

  void flip(std::uint32_t slot, std::uint64_t offset) {
    std::fstream file(folder_ + "/" + segment_name(slot), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(offset));
    const auto byte = static_cast<char>(file.get() ^ 1);
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(byte);
  }

  void maintain_all() {
    while (true) {
      const auto more = engine_->maintain();
      ASSERT_TRUE(more) << more.error().text;
      if (!*more) break;
    }
  }

  std::string folder_;
  std::unique_ptr<FailingDisk> disk_;
  SystemClock clock_;
  EngineOptions options_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(engine, gives_back_what_was_committed_also_after_a_restart) {
  const auto one = message("content\r\n", 3);
  ASSERT_TRUE(commit(one));
  ASSERT_TRUE(commit(outcome(one.id, 1, mail::Disposition::deferred)));
  ASSERT_TRUE(commit(Hold{one.id}));
  for (int life = 0; life < 3; ++life, start()) {
    const auto* found = engine_->find(one.id);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(engine_->read_content(one.id), one.content);
    EXPECT_EQ(engine_->read_envelope(one.id), one.envelope);
    EXPECT_TRUE(found->state.held);
    EXPECT_EQ(found->state.open(), 3U);
    ASSERT_NE(found->state.find(1), nullptr);
    EXPECT_EQ(found->state.find(1)->last.reply.text, "reply");
  }
}

TEST_F(engine, keeps_a_message_that_failed_for_good_until_it_is_deleted) {
  const auto id = add("x", 2);
  ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::delivered)));
  ASSERT_TRUE(commit(outcome(id, 1, mail::Disposition::failed)));
  for (int life = 0; life < 2; ++life, start()) {
    ASSERT_NE(engine_->find(id), nullptr) << "accepted mail does not leave without a word";
    EXPECT_EQ(engine_->find(id)->state.open(), 0U);
    EXPECT_EQ(engine_->find(id)->state.owing(), 1U);
    EXPECT_EQ(engine_->read_content(id), "x");
  }
  EXPECT_FALSE(commit(outcome(id, 1, mail::Disposition::delivered))) << "it ended once";
  EXPECT_FALSE(commit(outcome(id, 0, mail::Disposition::deleted))) << "it was delivered";
  ASSERT_TRUE(commit(outcome(id, 1, mail::Disposition::deleted)));
  EXPECT_EQ(engine_->find(id), nullptr);
}

TEST_F(engine, forgets_a_message_when_all_is_settled_but_not_that_it_was_committed) {
  const auto id = add("x", 2);
  ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::delivered)));
  EXPECT_NE(engine_->find(id), nullptr);
  ASSERT_TRUE(commit(outcome(id, 1, mail::Disposition::deleted)));
  for (int life = 0; life < 2; ++life, start()) {
    EXPECT_EQ(engine_->find(id), nullptr);
    EXPECT_TRUE(engine_->was_committed(id));
    EXPECT_FALSE(engine_->read_content(id));
  }
}

TEST_F(engine, never_gives_an_id_twice) {
  std::uint64_t last = 0;
  for (int life = 0; life < 5; ++life, start()) {
    for (const std::uint32_t count : {1U, 1024U, 65536U, 3U}) {
      const auto first = engine_->lease(count);
      ASSERT_TRUE(first);
      EXPECT_GT(first->value, last);
      last = first->value + count - 1;
    }
  }
  EXPECT_FALSE(engine_->lease(0));
  EXPECT_FALSE(engine_->lease(65537));
}

TEST_F(engine, refuses_a_bad_operation_without_harm_to_the_others) {
  const auto id = add("x", 1);
  const std::vector<Op> ops{outcome({12345678}, 0, mail::Disposition::delivered),
                            outcome(id, 1, mail::Disposition::delivered),
                            Hold{id},
                            AddMessage{{999999999}, message("y").envelope, "never leased", false},
                            outcome(id, 0, mail::Disposition::delivered),
                            outcome(id, 0, mail::Disposition::delivered)};
  const auto results = engine_->commit(ops);
  const std::vector<bool> expected{false, false, true, false, true, false};
  for (std::size_t i = 0; i < ops.size(); ++i) {
    EXPECT_EQ(results[i].has_value(), expected[i]) << i;
    if (!results[i]) EXPECT_EQ(results[i].error().what_to_do, ErrorClass::permanent) << i;
  }
}

TEST_F(engine, refuses_a_message_beyond_the_bound_and_takes_one_at_it) {
  EXPECT_TRUE(commit(message(std::string(options_.max_message_bytes, 'x'))));
  EXPECT_FALSE(commit(message(std::string(options_.max_message_bytes + 1, 'x'))));
  EXPECT_FALSE(commit(message("x", 2000))) << "an envelope of more than half a segment";
  EXPECT_FALSE(commit(message("x", 0)));
}

TEST_F(engine, refuses_to_commit_an_id_twice) {
  const auto one = message("x");
  ASSERT_TRUE(commit(one));
  EXPECT_FALSE(commit(one));
  ASSERT_TRUE(commit(outcome(one.id, 0, mail::Disposition::delivered)));
  EXPECT_FALSE(commit(one));
}

TEST_F(engine, splits_a_batch_that_is_larger_than_a_segment) {
  std::vector<Op> ops;
  for (int i = 0; i < 20; ++i) ops.emplace_back(message(std::string(10000, 'x')));
  for (const auto& result : engine_->commit(ops)) EXPECT_TRUE(result);
  EXPECT_EQ(engine_->stats().live, 20U);
  EXPECT_GE(engine_->stats().segments, 4U);
  start();
  EXPECT_EQ(engine_->stats().live, 20U);
}

TEST_F(engine, replaces_an_envelope_and_keeps_who_is_finished) {
  const auto id = add("x", 2);
  ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::delivered)));
  auto envelope = *engine_->read_envelope(id);
  envelope.recipients[1] = *mail::Mailbox::from_wire("list-a@example.org");
  envelope.recipients.push_back(*mail::Mailbox::from_wire("list-b@example.org"));
  ASSERT_TRUE(commit(ReplaceEnvelope{id, envelope}));
  start();
  EXPECT_EQ(engine_->read_envelope(id), envelope);
  EXPECT_FALSE(engine_->find(id)->state.is_open(0));
  EXPECT_EQ(engine_->find(id)->state.open(), 2U);
  auto fewer = envelope;
  fewer.recipients.pop_back();
  EXPECT_FALSE(commit(ReplaceEnvelope{id, fewer}));
  envelope.recipients[0] = *mail::Mailbox::from_wire("other@example.org");
  EXPECT_FALSE(commit(ReplaceEnvelope{id, envelope})) << "a finished recipient";
}

TEST_F(engine, recycles_segments_of_finished_mail_and_moves_what_is_left) {
  const auto kept = add(std::string(3000, 'k'), 2);
  ASSERT_TRUE(commit(outcome(kept, 1, mail::Disposition::delivered)));
  for (int i = 0; i < 200; ++i) {
    const auto id = add(std::string(8000, 'x'));
    ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::delivered)));
    maintain_all();
  }
  const auto stats = engine_->stats();
  EXPECT_LE(stats.bytes, 6 * kSegment);
  EXPECT_GT(stats.log.segments_reset, 10U);
  EXPECT_EQ(stats.quarantined, 0U);
  for (int life = 0; life < 2; ++life, start()) {
    EXPECT_EQ(engine_->stats().live, 1U);
    EXPECT_EQ(engine_->read_content(kept), std::string(3000, 'k'));
    EXPECT_EQ(engine_->find(kept)->state.open(), 1U);
  }
}

TEST_F(engine, refuses_mail_when_full_and_still_records_outcomes_and_recovers_from_it) {
  options_.max_spool_bytes = 6 * kSegment;
  start();
  std::vector<QueueId> ids;
  Result<void> result;
  for (int i = 0; i < 200 && result; ++i) {
    auto one = message(std::string(9000, 'x'));
    const auto id = one.id;
    result = commit(std::move(one));
    if (result) ids.push_back(id);
  }
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().what_to_do, ErrorClass::temporary);
  EXPECT_EQ(result.error().errno_value, ENOSPC);
  EXPECT_LE(engine_->stats().bytes, 6 * kSegment);
  EXPECT_GT(ids.size(), 15U);
  for (const auto id : ids) ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::delivered)));
  maintain_all();
  EXPECT_TRUE(commit(message(std::string(9000, 'x'))));
}

TEST_F(engine, takes_the_end_of_every_message_when_all_of_a_full_spool_has_failed) {
  options_.max_spool_bytes = 6 * kSegment;
  start();
  std::vector<QueueId> ids;
  while (true) {
    auto one = message("x");
    const auto id = one.id;
    if (!commit(std::move(one))) break;
    ids.push_back(id);
  }
  std::vector<Op> expired;
  for (const auto id : ids) {
    auto failed = outcome(id, 0, mail::Disposition::failed);
    failed.outcomes.front().reply.text = std::string(kMaxReplyText, 'x');
    expired.emplace_back(std::move(failed));
  }
  for (const auto& result : engine_->commit(expired)) {
    if (!result) EXPECT_EQ(result.error().errno_value, ENOSPC);
  }
  for (const auto id : ids) ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::deleted)));
  EXPECT_EQ(engine_->stats().live, 0U);
}

TEST_F(engine, leaves_the_free_space_that_it_must) {
  options_.min_free_bytes = 1000;
  disk_->free = kSegment + 999;
  start();
  const auto lease = engine_->lease(1);
  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().errno_value, ENOSPC);
  disk_->free = kSegment + 1000;
  EXPECT_TRUE(engine_->lease(1));
}

TEST_F(engine, shows_nothing_of_a_commit_whose_sync_failed) {
  const auto before = add("before");
  auto one = message("failed");
  disk_->failing_syncs = 1;
  const auto result = commit(one);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().what_to_do, ErrorClass::temporary);
  EXPECT_EQ(engine_->find(one.id), nullptr);
  EXPECT_FALSE(engine_->was_committed(one.id));
  const auto after = add("after");
  start();  // the bytes of the failed group are on the disk, behind the end that the next segment names
  EXPECT_EQ(engine_->find(one.id), nullptr);
  EXPECT_NE(engine_->find(before), nullptr);
  EXPECT_NE(engine_->find(after), nullptr);
  EXPECT_TRUE(engine_->recovery().quarantined.empty());
}

TEST_F(engine, closes_intake_after_two_failures_until_a_sync_succeeds) {
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

TEST_F(engine, finds_out_by_itself_that_the_disk_works_again) {
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

TEST_F(engine, reports_and_keeps_a_segment_with_a_damaged_record) {
  const auto first = add(std::string(5000, 'a'));
  const auto second = add(std::string(5000, 'b'));
  const auto place = engine_->find(first)->data;
  flip(place.slot, place.offset + kRecordHeaderBytes + place.head_bytes + 100);
  start();
  const auto& report = engine_->recovery();
  ASSERT_EQ(report.quarantined.size(), 1U);
  EXPECT_EQ(report.quarantined[0].id, first);
  EXPECT_EQ(report.quarantined[0].file, segment_name(place.slot));
  EXPECT_EQ(engine_->find(first), nullptr);
  EXPECT_NE(engine_->find(second), nullptr);
  ASSERT_TRUE(commit(outcome(second, 0, mail::Disposition::delivered)));
  maintain_all();
  EXPECT_EQ(engine_->stats().quarantined, 1U);
  start();
  EXPECT_EQ(engine_->recovery().quarantined.size(), 1U) << "still there";
}

TEST_F(engine, finds_a_group_again_when_the_disk_can_read_it_again) {
  (void)add("before");
  const auto id = add("content");
  const auto place = engine_->find(id)->data;
  const auto group = place.offset / kBlock * kBlock;
  disk_->unreadable = {segment_name(place.slot), group, group + kBlock};
  start();
  EXPECT_EQ(engine_->find(id), nullptr);
  EXPECT_EQ(engine_->stats().quarantined, 1U);
  (void)add("after");
  disk_->unreadable = {};
  start();
  EXPECT_EQ(engine_->read_content(id), "content");
}

TEST_F(engine, writes_nothing_over_what_the_disk_could_not_read) {
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

TEST_F(engine, adds_nothing_behind_an_end_that_an_unreadable_header_may_name) {
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

TEST_F(engine, goes_on_behind_the_generation_of_a_header_that_could_not_be_read) {
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

TEST_F(engine, leaves_a_place_where_writing_always_fails_although_spares_are_scarce) {
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

TEST_F(engine, grows_although_the_header_of_a_segment_cannot_be_written) {
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

TEST_F(engine, gives_up_a_segment_that_cannot_be_reset_while_the_disk_works_elsewhere) {
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
  for (const auto id : ids) EXPECT_EQ(engine_->find(id), nullptr);
}

TEST_F(engine, does_not_try_to_grow_all_the_time_where_a_quota_forbids_it) {
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

TEST_F(engine, writes_a_deferral_while_the_log_may_grow) {
  options_.max_spool_bytes = 6 * kSegment;
  start();
  std::vector<QueueId> ids;
  while (true) {
    auto one = message(std::string(3000, 'x'));
    const auto id = one.id;
    if (!commit(std::move(one))) break;
    ids.push_back(id);
  }
  options_.max_spool_bytes = 12 * kSegment;
  ASSERT_TRUE(engine_->reconfigure(options_));
  for (const auto id : ids) ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::deferred)));
  EXPECT_EQ(engine_->stats().deferrals_in_memory, 0U);
}

TEST_F(engine, does_not_ask_a_dying_disk_for_every_block) {
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

TEST_F(engine, keeps_ids_apart_when_the_mark_may_have_been_damaged) {
  const auto used = engine_->lease(65536)->value + 65535;
  const auto id = add("x");
  flip(engine_->find(id)->data.slot, 40);
  start();
  EXPECT_FALSE(engine_->recovery().quarantined.empty());
  EXPECT_GT(engine_->lease(1)->value, used);
}

TEST_F(engine, notices_damage_when_reading) {
  const auto id = add(std::string(5000, 'a'));
  const auto place = engine_->find(id)->data;
  flip(place.slot, place.offset + kRecordHeaderBytes + place.head_bytes + 4999);
  EXPECT_TRUE(engine_->read_envelope(id)) << "the envelope has a checksum of its own";
  const auto content = engine_->read_content(id);
  ASSERT_FALSE(content);
  EXPECT_EQ(content.error().what_to_do, ErrorClass::permanent);
}

TEST_F(engine, quarantines_what_it_cannot_move) {
  const auto id = add(std::string(5000, 'a'));
  const auto place = engine_->find(id)->data;
  flip(place.slot, place.offset + kRecordHeaderBytes + place.head_bytes + 4999);
  for (int i = 0; i < 100; ++i) {
    const auto other = add(std::string(8000, 'x'));
    ASSERT_TRUE(commit(outcome(other, 0, mail::Disposition::delivered)));
    for (int step = 0; step < 20; ++step) (void)engine_->maintain();
  }
  EXPECT_EQ(engine_->stats().quarantined, 1U);
  EXPECT_NE(engine_->find(id), nullptr);
}

TEST_F(engine, does_not_open_what_another_version_wrote) {
  const auto id = add("x");
  flip(engine_->find(id)->data.slot, 8);
  engine_.reset();
  const auto opened = Engine::open(*disk_, clock_, options_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().what_to_do, ErrorClass::internal);
}

TEST_F(engine, works_on_with_segments_of_another_size) {
  const auto id = add(std::string(5000, 'a'));
  options_.segment_bytes = 2 * kSegment;
  options_.max_spool_bytes = 40 * kSegment;
  start();
  EXPECT_EQ(engine_->read_content(id), std::string(5000, 'a'));
  for (int i = 0; i < 100; ++i) {
    const auto other = add(std::string(8000, 'x'));
    ASSERT_TRUE(commit(outcome(other, 0, mail::Disposition::delivered)));
    maintain_all();
  }
  EXPECT_EQ(engine_->read_content(id), std::string(5000, 'a'));
  for (const auto& file : std::filesystem::directory_iterator(folder_)) {
    EXPECT_EQ(file.file_size(), 2 * kSegment) << file.path();
  }
}

TEST_F(engine, says_which_options_do_not_fit_together) {
  const auto refused = [&](auto change) {
    auto options = options_;
    change(options);
    return !check(options);
  };
  EXPECT_TRUE(check(options_));
  EXPECT_TRUE(refused([](auto& o) { o.segment_bytes = 65537; }));
  EXPECT_TRUE(refused([](auto& o) { o.segment_bytes = 32768; }));
  EXPECT_TRUE(refused([](auto& o) { o.segment_bytes = 2ULL << 30U; }));
  EXPECT_TRUE(refused([](auto& o) { o.spare_segments = 0; }));
  EXPECT_TRUE(refused([](auto& o) { o.max_message_bytes = o.segment_bytes / 2; }));
  EXPECT_TRUE(refused([](auto& o) { o.max_spool_bytes = 3 * o.segment_bytes; }));
  EXPECT_TRUE(refused([](auto& o) { o.max_group_bytes = 100; }));
  auto larger = options_;
  larger.segment_bytes *= 2;
  EXPECT_FALSE(engine_->reconfigure(larger));
}

}  // namespace
}  // namespace sternpost::spool

// Spools that were kept of each version of the format: what was in them is found, and they live on.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "spool/overlay_disk.h"
#include "spool/posix_disk.h"
#include "spool_account.h"
#include "tool/spool_commands.h"

namespace sternpost::spool {
namespace {

namespace fs = std::filesystem;

/// All that a tree after this one must read. A new one is added to the list, and none is ever taken out.
const std::vector<std::string> kVersions{"2", "3"};

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> kept_versions() {
  std::vector<std::string> versions;
  for (const auto& entry : fs::directory_iterator(UNPACKED_SPOOLS))
    versions.push_back(entry.path().filename());
  std::ranges::sort(versions);
  return versions;
}

TEST(kept_spools, are_of_every_version_up_to_that_which_is_written) {
  EXPECT_EQ(kept_versions(), kVersions);
  EXPECT_EQ(std::to_string(version_written()), kVersions.back())
      << "a new version of the format: keep a spool of it (tests/spools/README.md)";
}

class kept_spool : public testing::TestWithParam<std::string> {
 protected:
  kept_spool() {
    std::string name = testing::TempDir() + "kept-XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    fs::copy(fs::path(UNPACKED_SPOOLS) / GetParam() / "spool", folder_, fs::copy_options::recursive);
    disk_ = std::make_unique<PosixDisk>(UniqueFd(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY)));
    std::ifstream ids(kept() / "ids.txt");
    for (std::string what, id; ids >> what >> id;) ids_.emplace_back(what, *parse_queue_id(id));
  }
  ~kept_spool() override { fs::remove_all(folder_); }

  static fs::path kept() { return fs::path(KEPT_SPOOLS) / GetParam(); }

  std::unique_ptr<Engine> open(Disk& disk, CheckpointUse use = CheckpointUse::where_it_fits) {
    auto engine = Engine::open(disk, clock_,
                               {.segment_bytes = 64ULL * 1024,
                                .spare_segments = 2,
                                .max_message_bytes = 16ULL * 1024,
                                .max_spool_bytes = 12ULL * 64 * 1024,
                                .salt = ++salt_},
                               use);
    EXPECT_TRUE(engine) << engine.error().text;
    return engine ? std::move(*engine) : nullptr;
  }

  /// Holds what a start finds against what is known to be there.
  void expect_all(Engine& engine) const {
    EXPECT_TRUE(engine.recovery().quarantined.empty()) << engine.recovery().quarantined.front().why;
    EXPECT_EQ(engine.recovery().torn_tails, 1U);
    EXPECT_EQ(account_of(engine).value_or("cannot be read"), read(kept() / "messages.jsonl"));
    EXPECT_GE(ids_.size(), 100U);
    for (const auto& [what, id] : ids_) {
      EXPECT_EQ(engine.contains(id), what == "live") << to_string(id);
      // A checkpoint may know more of those whose records are gone.
      const bool must = what != "unknown";
      const bool may = must || (engine.recovery().from_checkpoint && id != ids_.back().second);
      EXPECT_GE(engine.was_committed(id), must) << to_string(id);
      EXPECT_LE(engine.was_committed(id), may) << to_string(id);
    }
  }

  static void commit(Engine& engine, Op op) {
    const std::vector<Op> ops{std::move(op)};
    const auto done = engine.commit(ops).front();
    ASSERT_TRUE(done) << done.error().text;
  }

  static void finish(Engine& engine, QueueId id) {
    const auto state = engine.find(id)->state;
    RecordOutcomes outcomes{id, {}};
    for (std::uint32_t i = 0; i < state.recipients(); ++i) {
      if (!state.is_open(i) && !state.is_owing(i)) continue;
      const auto how = state.is_open(i) ? mail::Disposition::delivered : mail::Disposition::deleted;
      outcomes.outcomes.push_back({i, how, {250, {2, 0, 0}, "done"}, WallTime{5}});
    }
    commit(engine, std::move(outcomes));
  }

  static QueueId add(Engine& engine, std::string content) {
    const auto id = *engine.lease(1);
    AddMessage message{id, {}, std::move(content)};
    message.envelope.recipients.push_back(*mail::Mailbox::from_wire("new@example.org"));
    commit(engine, std::move(message));
    return id;
  }

  static void maintain(Engine& engine) {
    for (;;) {
      const auto more = engine.maintain();
      ASSERT_TRUE(more) << more.error().text;
      if (!*more) return;
    }
  }

  [[nodiscard]] bool is_new(QueueId id) const {
    return std::ranges::none_of(ids_, [id](const auto& known) { return known.second == id; });
  }

  void expect_whole() const {
    testing::internal::CaptureStdout();
    const auto checked = tool::spool_check({}, {folder_, ""});
    std::fflush(stdout);
    const auto said = testing::internal::GetCapturedStdout();
    EXPECT_TRUE(checked) << checked.error().text << said;
    EXPECT_TRUE(said.ends_with("the queue is whole\n")) << said;
  }

  std::string folder_;
  std::unique_ptr<PosixDisk> disk_;
  SystemClock clock_;
  std::uint64_t salt_ = 7;
  std::vector<std::pair<std::string, QueueId>> ids_;  ///< "live", "finished" or "unknown"; the torn one last
};

TEST_P(kept_spool, holds_what_was_written_by_checkpoint_and_without) {
  OverlayDisk overlay(*disk_);
  const auto engine = open(overlay);
  ASSERT_NE(engine, nullptr);
  expect_all(*engine);
  auto kinds = kinds_in(overlay, *engine).value();
  // A checkpoint is a cache: that of an older version may be left alone.
  if (GetParam() != kVersions.back()) kinds.insert("checkpoint");
  EXPECT_EQ(kinds, kinds_of(static_cast<unsigned>(std::stoul(GetParam()))));
  OverlayDisk another(*disk_);
  const auto from_log = open(another, CheckpointUse::none);
  ASSERT_NE(from_log, nullptr);
  expect_all(*from_log);
}

TEST_P(kept_spool, is_whole_by_spool_check_before_and_after_a_start) {
  expect_whole();
  maintain(*open(*disk_));
  expect_whole();
}

TEST_P(kept_spool, stays_as_it_was_through_starts) {
  for (int start = 0; start < 3; ++start) {
    const auto engine = open(*disk_);
    ASSERT_NE(engine, nullptr);
    EXPECT_EQ(account_of(*engine).value_or("cannot be read"), read(kept() / "messages.jsonl"));
    maintain(*engine);
    add(*engine, "comes and goes");
    finish(*engine, engine->messages_after(0, SIZE_MAX).back().second);
    EXPECT_TRUE(engine->write_checkpoint());
  }
}

TEST_P(kept_spool, lives_on_until_all_is_finished_and_recycled) {
  auto engine = open(*disk_);
  ASSERT_NE(engine, nullptr);
  for (const auto& [position, id] : engine->messages_after(0, SIZE_MAX)) finish(*engine, id);
  EXPECT_EQ(engine->stats().live, 0U);
  std::vector<QueueId> fresh;
  for (int i = 0; i < 100; ++i) {
    fresh.push_back(add(*engine, std::string(10'000, 'x')));
    EXPECT_TRUE(is_new(fresh.back())) << to_string(fresh.back());
    if (i < 99) finish(*engine, fresh.back());
    maintain(*engine);
  }
  EXPECT_GE(engine->stats().log.segments_reset, 12U) << "each segment was used again";
  for (const auto id : engine->take_discarded()) EXPECT_TRUE(remove_content(*disk_, id));
  for (const auto& name : *disk_->list()) EXPECT_FALSE(parse_content_name(name)) << name;
  engine.reset();
  engine = open(*disk_, CheckpointUse::none);
  ASSERT_NE(engine, nullptr);
  ASSERT_EQ(engine->stats().live, 1U);
  EXPECT_EQ(engine->read_content(fresh.back()).value(), std::string(10'000, 'x'));
  engine.reset();
  expect_whole();
}

INSTANTIATE_TEST_SUITE_P(version, kept_spool, testing::ValuesIn(kept_versions()),
                         [](const auto& param_info) { return param_info.param; });

}  // namespace
}  // namespace sternpost::spool

// Damaged segments are emptied, and nothing that could be read of them is lost.
#include <map>

#include "spool/ending_disk.h"
#include "spool/engine_test_rig.h"
#include "spool/overlay_disk.h"

namespace sternpost::spool {
namespace {

class engine_repair : public EngineRig {
 protected:
  /// What is known of each live message: its content and who is open or owed a notice.
  using Found = std::map<QueueId, std::string>;

  static Found found_in(Engine& engine) {
    Found found;
    for (const auto& [position, id] : engine.messages_after(0, 10'000)) {
      auto message = *engine.find(id);
      EXPECT_TRUE(engine.read_texts(message));
      auto text = engine.read_content(id).value_or("unreadable") + (message.state.held ? " held" : "") +
                  (message.state.warned ? " warned" : "");
      for (const auto& one : message.state.attempted()) {
        text += std::to_string(one.last.recipient) + ":" + std::to_string(one.attempts) + one.last.reply.text;
      }
      found[id] = text + std::to_string(engine.read_envelope(id)->recipients.size());
    }
    return found;
  }

  Result<std::unique_ptr<Engine>> open(Disk& disk) {
    ++options_.salt;
    return Engine::open(disk, clock_, options_, CheckpointUse::none);
  }
  static Result<void> repair(Engine& engine) {
    for (const auto slot : engine.quarantined()) {
      if (auto emptied = engine.empty_quarantined(slot); !emptied) return emptied;
    }
    return {};
  }

  /// Messages of all kinds over several segments, some with their state in later ones, some finished there.
  void fill() {
    using enum mail::Disposition;
    std::vector<QueueId> ids;
    for (int i = 0; i < 40; ++i) ids.push_back(add(std::string(3000, 'a') + std::to_string(i), 2));
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (i % 5 == 0) continue;
      EXPECT_TRUE(commit(i % 5 == 1   ? outcome(ids[i], 0, deferred)
                         : i % 5 == 2 ? outcome(ids[i], 1, failed)
                                      : outcome(ids[i], 0, delivered)));
      if (i % 5 == 4) EXPECT_TRUE(commit(outcome(ids[i], 1, delivered)));
      if (i % 7 == 0 && i % 5 != 4) EXPECT_TRUE(commit(Hold{ids[i]}));
    }
    engine_.reset();
  }

  /// All ways in which a segment is damaged.
  void damage(const std::string& how, std::uint32_t slot) {
    const auto file = std::filesystem::path(folder_) / segment_name(slot);
    if (how == "header") flip(slot, 20);
    if (how == "record") flip(slot, 2 * kBlock + 100);
    if (how == "group header") flip(slot, 3 * kBlock + 3);
    if (how == "cut short") std::filesystem::resize_file(file, 5 * kBlock + 100);
    if (how == "unreadable") disk_->unreadable = {segment_name(slot), 4 * kBlock, 6 * kBlock};
    if (how == "unreadable header") disk_->unreadable = {segment_name(slot), 0, kBlock};
  }

  /// The folder as it is now, into another.
  void save(const std::string& to) const {
    std::filesystem::remove_all(to);
    std::filesystem::copy(folder_, to);
  }
};

class repaired_segment : public engine_repair,
                         public testing::WithParamInterface<std::tuple<const char*, int>> {};

TEST_P(repaired_segment, is_emptied_and_nothing_that_could_be_read_is_lost) {
  fill();
  const auto& [how, slot] = GetParam();
  damage(how, static_cast<std::uint32_t>(slot));
  OverlayDisk overlay(*disk_);
  const auto before = found_in(**open(overlay));
  auto engine = open(*disk_);
  ASSERT_TRUE(engine) << engine.error().text;
  ASSERT_FALSE((*engine)->recovery().quarantined.empty());
  const auto repaired = repair(**engine);
  ASSERT_TRUE(repaired) << repaired.error().text;
  EXPECT_EQ(found_in(**engine), before);
  engine->reset();
  disk_->unreadable = {};

  engine = open(*disk_);
  EXPECT_TRUE((*engine)->recovery().quarantined.empty()) << (*engine)->recovery().quarantined.front().why;
  EXPECT_EQ(found_in(**engine), before);
  engine->reset();
  start();
  maintain_all();
  const auto id = add("new");
  EXPECT_GT(id.value, 1ULL << 32U) << "behind all that the damaged segment may have given";
  start();
  EXPECT_EQ(engine_->stats().live, before.size() + 1);
  EXPECT_TRUE(engine_->recovery().quarantined.empty());
}

INSTANTIATE_TEST_SUITE_P(damage, repaired_segment,
                         testing::Combine(testing::Values("header", "record", "group header", "cut short",
                                                          "unreadable", "unreadable header"),
                                          testing::Values(0, 1, 2, 3)));

TEST_F(engine_repair, goes_on_wherever_it_was_broken_off) {
  fill();
  for (const auto* how : {"record", "header"}) {
    for (const std::uint32_t slot : {0U, 2U}) damage(how, slot);
    const auto saved = folder_ + ".saved";
    save(saved);
    OverlayDisk overlay(*disk_);
    const auto before = found_in(**open(overlay));
    std::uint64_t calls = 0;
    for (bool ended = true; ended; calls += calls < 20 ? 1 : 7) {
      std::filesystem::remove_all(folder_);
      std::filesystem::copy(saved, folder_);
      FailingDisk disk(folder_);
      EndingDisk ending(disk, calls);
      if (auto engine = open(ending)) (void)repair(**engine);
      ended = ending.ended();
      OverlayDisk looked_at(disk);
      const auto broken_off = open(looked_at);
      ASSERT_TRUE(broken_off) << calls << ": " << broken_off.error().text;
      ASSERT_EQ(found_in(**broken_off), before) << calls;
      auto engine = open(disk);
      ASSERT_TRUE(engine) << calls;
      ASSERT_TRUE(repair(**engine)) << calls;
      engine->reset();
      engine = open(disk);
      ASSERT_TRUE((*engine)->recovery().quarantined.empty()) << calls;
      ASSERT_EQ(found_in(**engine), before) << calls;
    }
    EXPECT_GT(calls, 50U);
    std::filesystem::remove_all(folder_);
    std::filesystem::copy(saved, folder_);
    std::filesystem::remove_all(saved);
    disk_ = std::make_unique<FailingDisk>(folder_);
  }
}

TEST_F(engine_repair, changes_nothing_for_good_where_there_is_no_room) {
  fill();
  damage("record", 1);
  OverlayDisk overlay(*disk_);
  const auto before = found_in(**open(overlay));
  disk_->quota_is_used_up = true;
  options_.max_spool_bytes = 6 * kSegment;
  auto engine = open(*disk_);
  ASSERT_TRUE(engine) << engine.error().text;
  const auto repaired = repair(**engine);
  if (!repaired) {
    EXPECT_EQ(repaired.error().what_to_do, ErrorClass::temporary) << repaired.error().text;
  }
  engine->reset();
  disk_->quota_is_used_up = false;
  EXPECT_EQ(found_in(**open(*disk_)), before);
}

TEST_F(engine_repair, relies_on_nothing_of_a_damaged_spool_that_may_be_in_memory_alone) {
  for (int i = 0; i < 30; ++i) add(std::string(7000, 'a'));
  engine_.reset();
  const auto opens_without_writing_the_end_of = [this](std::uint32_t slot) {
    disk_->unwritable = {segment_name(slot), kSegment - 4 * kBlock, kSegment};
    return open(*disk_).has_value();
  };
  EXPECT_TRUE(opens_without_writing_the_end_of(1)) << "its end is named, so that it was synced";
  damage("record", 1);
  EXPECT_FALSE(opens_without_writing_the_end_of(1));
  EXPECT_TRUE(opens_without_writing_the_end_of(2));
  damage("header", 0);
  EXPECT_FALSE(opens_without_writing_the_end_of(2)) << "that header may have named its end";
}

TEST_F(engine_repair, leaves_a_segment_as_it_was_where_the_one_that_it_names_cannot_be_closed) {
  for (int i = 0; i < 30; ++i) add(std::string(7000, 'a'));  // leaves room for a closing mark
  engine_.reset();
  damage("record", 2);
  auto engine = open(*disk_);
  ASSERT_TRUE(engine) << engine.error().text;
  const auto before = found_in(**engine);
  ASSERT_EQ((*engine)->quarantined(), std::vector<std::uint32_t>{2});
  disk_->unwritable = {segment_name(1), 0, kSegment};
  ASSERT_FALSE((*engine)->empty_quarantined(2));
  EXPECT_EQ((*engine)->quarantined(), std::vector<std::uint32_t>{2});
  disk_->unwritable = {};
  const auto emptied = (*engine)->empty_quarantined(2);
  EXPECT_TRUE(emptied) << emptied.error().text;
  EXPECT_EQ(found_in(**engine), before);
}

TEST_F(engine_repair, does_not_bring_back_what_was_finished_in_a_damaged_segment) {
  const auto kept = add(std::string(3000, 'k'));
  std::vector<QueueId> finished;
  for (int i = 0; i < 10; ++i) finished.push_back(add(std::string(3000, 'a')));
  for (int i = 0; i < 8; ++i) add(std::string(3000, 'b'));
  for (const auto id : finished) EXPECT_TRUE(commit(outcome(id, 0, mail::Disposition::delivered)));
  const auto proofs = engine_->stats().segments - 1;
  engine_.reset();
  flip(static_cast<std::uint32_t>(proofs), kBlock + 20);
  auto engine = open(*disk_);
  ASSERT_TRUE(engine);
  ASSERT_FALSE((*engine)->recovery().quarantined.empty());
  const auto before = found_in(**engine);
  EXPECT_LT(before.size(), 19U) << "most proofs can be read";
  ASSERT_TRUE(repair(**engine));
  engine->reset();
  engine = open(*disk_);
  EXPECT_TRUE((*engine)->contains(kept));
  EXPECT_EQ(found_in(**engine), before);
}

}  // namespace
}  // namespace sternpost::spool

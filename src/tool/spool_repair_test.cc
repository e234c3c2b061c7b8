#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "spool/ending_disk.h"
#include "tool/repair.h"
#include "tool/spool_commands.h"
#include "tool/test_spool.h"

namespace sternpost::tool {
namespace {

namespace fs = std::filesystem;

class SpoolRepair : public TestSpool {
 protected:
  Outcome<void> plan() {
    return run([&] { return spool_repair(options_, place_, {}); });
  }
  Outcome<void> repair_into(const std::string& folder, bool missing_is_lost = false) {
    return run([&] { return spool_repair(options_, place_, {true, base_ / folder, missing_is_lost}); });
  }
  [[nodiscard]] bool said(const std::string& text) const { return out_.find(text) != std::string::npos; }

  void expect_whole() {
    const auto checked = run([&] { return spool_check(options_, place_); });
    EXPECT_TRUE(checked) << checked.error().text << out_;
  }

  /// All that is known of each live message, by id.
  std::map<std::string, std::string> messages() {
    std::map<std::string, std::string> all;
    with_engine(
        place_.directory,
        [&](spool::Engine& engine) {
          for (const auto& [position, id] : engine.messages_after(0, 1000)) {
            auto message = *engine.find(id);
            EXPECT_TRUE(engine.read_texts(message));
            auto text = engine.read_content(id).value() + (message.state.held ? " held" : "");
            for (const auto& one : message.state.attempted()) {
              text += fmt::format(" {}:{}:{}:{}", one.last.recipient, one.attempts, one.last.reply.text,
                                  message.state.is_owing(one.last.recipient));
            }
            all[to_string(id)] = text + mail::to_path(engine.read_envelope(id)->reverse_path);
          }
        },
        place_.deferred_directory);
    return all;
  }

  /// More than one segment of messages; one of the first is `lost`.
  void fill() {
    lost_ = to_string(add("the one that is lost"));
    for (int i = 0; i < 12; ++i) add(std::string(6000, 'a') + std::to_string(i), i % 3 == 0);
  }

  [[nodiscard]] fs::path segment(std::uint32_t slot) const {
    return fs::path(place_.directory) / spool::segment_name(slot);
  }
  [[nodiscard]] std::string content_of(std::uint32_t slot) const {
    return files(place_.directory).at(spool::segment_name(slot));
  }

  /// The first that is in use, and full.
  std::uint32_t slot_with_mail() {
    constexpr std::size_t kRole = 32;
    for (const auto& [name, content] : files(place_.directory)) {
      const auto slot = spool::parse_segment_name(name);
      if (!slot || content.size() < kTestSegment || content[kRole] == 0) continue;
      if (content.find("aaaa", 3 * spool::kBlock) != std::string::npos) return *slot;
    }
    ADD_FAILURE() << "no segment is full";
    return 0;
  }

  std::string lost_;
};

TEST_F(SpoolRepair, HasNothingToDoOnAWholeQueue) {
  fill();
  const auto before = files(place_.directory);
  const auto done = plan();
  EXPECT_TRUE(done) << done.error().text;
  EXPECT_TRUE(said("the queue is whole: there is nothing to repair\n")) << out_;
  ASSERT_TRUE(repair_into("evidence"));
  EXPECT_FALSE(fs::exists(base_ / "evidence"));
  EXPECT_EQ(files(place_.directory), before);
}

TEST_F(SpoolRepair, SaysWhatItWouldDoAndChangesNothing) {
  fill();
  damage("the one that is lost");
  const auto before = files(place_.directory);
  const auto done = plan();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().status, ExitStatus::failed);
  EXPECT_TRUE(done.error().text.starts_with("nothing was changed")) << done.error().text;
  EXPECT_TRUE(said("lost: message " + lost_ + ", from <sender@example.net>, to <a@example.org>")) << out_;
  EXPECT_TRUE(said("to do: copy segment-0000, move what can be read of it (messages: ")) << out_;
  EXPECT_EQ(files(place_.directory), before);
  options_.json = true;
  ASSERT_FALSE(plan());
  const auto value = boost::json::parse(out_);
  EXPECT_FALSE(value.at("repaired").as_bool());
  EXPECT_EQ(value.at("to_empty").as_array().at(0).at("file"), "segment-0000");
  EXPECT_EQ(value.at("lost").as_array().at(0).at("id"), boost::json::string(lost_));
}

TEST_F(SpoolRepair, KeepsWhatIsDamagedAndSavesWhatCanBeRead) {
  fill();
  damage("the one that is lost");
  const auto damaged = content_of(0);
  auto expected = messages();
  ASSERT_EQ(expected.size(), 12U);
  const auto done = repair_into("evidence");
  ASSERT_TRUE(done) << done.error().text << out_;
  EXPECT_TRUE(said("emptied segment-0000\nthe queue is whole\n")) << out_;
  auto kept = files(base_ / "evidence");
  EXPECT_EQ(kept.at("segment-0000"), damaged);
  const auto report = boost::json::parse(kept.at("repair.json"));
  EXPECT_EQ(report.at("lost").as_array().at(0).at("sender"), "<sender@example.net>");
  EXPECT_EQ(report.at("copied").as_array().size(), kept.size() - 1);
  expect_whole();
  EXPECT_EQ(messages(), expected) << "same ids, same states, same words";
  const auto fresh = add("new");
  EXPECT_GT(fresh.value, 1ULL << 32U) << "ids go on behind all that the damaged segment may have had";
  expect_whole();
}

TEST_F(SpoolRepair, MendsEveryKindOfDamage) {
  fill();
  for (const std::string how :
       {"header", "blocks", "cut short", "empty of sense", "larger than any", "checkpoint"}) {
    const auto slot = slot_with_mail();
    if (how == "header") write(segment(slot), "#" + content_of(slot).substr(1));
    if (how == "blocks") write(segment(slot), content_of(slot).replace(8192, 8192, 8192, 'x'));
    if (how == "cut short") fs::resize_file(segment(slot), 30'000);
    if (how == "empty of sense") write(segment(slot), "not a segment at all");
    if (how == "larger than any") write(segment(slot), std::string((3UL << 20U) + 5, 'x'));
    if (how == "checkpoint") {
      with_engine(place_.directory, [](spool::Engine& engine) { EXPECT_TRUE(engine.write_checkpoint()); });
      for (const auto* name : {"checkpoint-0", "checkpoint-1"}) {
        const auto path = fs::path(place_.directory) / name;
        if (fs::exists(path) && fs::file_size(path) > 4096) fs::resize_file(path, 4100);
      }
    }
    ASSERT_FALSE(plan()) << how;
    const auto done = repair_into(how);
    ASSERT_TRUE(done) << how << ": " << done.error().text << out_;
    expect_whole();
    for (int i = 0; i < 12; ++i) add(std::string(6000, 'a') + std::to_string(i));
    expect_whole();
  }
}

TEST_F(SpoolRepair, TakesTheRottenEndOfTheLogForDamageWhereNoServerStartedSince) {
  fill();
  const auto expected = messages();
  for (const std::string where : {"begins", "ends"}) {
    QueueId last;
    with_engine(place_.directory, [&](spool::Engine& engine) {
      spool::AddMessage message{*engine.lease(1), {}, "begins" + std::string(20'000, 'x') + "ends", false};
      message.envelope.recipients.push_back(*mail::Mailbox::from_wire("a@example.org"));
      last = message.id;
      commit(engine, message);
      EXPECT_TRUE(engine.write_checkpoint());
    });
    damage(where);
    const auto done = repair_into(where);
    ASSERT_TRUE(done) << done.error().text << out_;
    EXPECT_TRUE(said("lost: message " + to_string(last))) << out_;
    EXPECT_TRUE(said("emptied segment-")) << "and nothing was dropped without a word: " << out_;
    expect_whole();
    EXPECT_EQ(messages(), expected);
  }
}

TEST_F(SpoolRepair, GivesUpMissingSegmentsOnlyWhereToldTo) {
  fill();
  fs::rename(segment(0), base_ / "elsewhere");
  auto done = plan();
  ASSERT_FALSE(done);
  EXPECT_TRUE(said("absent: segment-0000 is missing: what was in it is gone\n")) << out_;
  const auto before = files(place_.directory);
  done = repair_into("evidence");
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().text.find("--missing-is-lost"), std::string::npos) << done.error().text;
  EXPECT_EQ(files(place_.directory), before);
  done = repair_into("evidence", true);
  ASSERT_TRUE(done) << done.error().text << out_;
  expect_whole();
  EXPECT_GT(add("new").value, 1ULL << 32U) << "the missing one may have given ids";
  EXPECT_FALSE(messages().contains(lost_));
}

TEST_F(SpoolRepair, TakesNoSegmentOfAnotherSpoolForItsOwn) {
  fill();
  const auto other = make_queue("other");
  const auto foreign = files(other).at("segment-0001");
  write(segment(1), foreign);
  ASSERT_FALSE(plan());
  EXPECT_TRUE(said("absent: segment-0001 belongs to another spool")) << out_;
  ASSERT_FALSE(repair_into("evidence"));
  const auto done = repair_into("evidence", true);
  ASSERT_TRUE(done) << done.error().text << out_;
  EXPECT_EQ(files(base_ / "evidence").at("segment-0001"), foreign);
  expect_whole();
}

TEST_F(SpoolRepair, DoesNotTouchAQueueWhoseOtherFolderIsOfAnotherSpoolAlone) {
  fill();
  const auto [name, foreign] = *files(place_.directory).rbegin();
  ASSERT_TRUE(spool::parse_segment_name(name)) << name;
  place_.directory = make_queue("other");
  ASSERT_FALSE(files(place_.directory).contains(name));
  place_.deferred_directory = base_ / "deferred";
  fs::create_directory(place_.deferred_directory);
  write(fs::path(place_.deferred_directory) / name, foreign);
  const auto before = files(place_.directory);
  const auto done = repair_into("evidence", true);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().text.find("segments of another spool alone"), std::string::npos)
      << done.error().text;
  EXPECT_EQ(files(place_.directory), before);
  EXPECT_FALSE(fs::exists(base_ / "evidence"));
}

TEST_F(SpoolRepair, MendsBothFolders) {
  fill();
  place_.deferred_directory = base_ / "deferred";
  fs::create_directory(place_.deferred_directory);
  fs::rename(segment(0), fs::path(place_.deferred_directory) / "segment-0000");
  const auto path = fs::path(place_.deferred_directory) / "segment-0000";
  auto bytes = files(place_.deferred_directory).at("segment-0000");
  bytes[bytes.find("the one that is lost")] ^= 1;
  write(path, bytes);
  const auto expected = messages();
  const auto done = repair_into("evidence");
  ASSERT_TRUE(done) << done.error().text << out_;
  EXPECT_EQ(files(base_ / "evidence").at("segment-0000"), bytes);
  EXPECT_EQ(messages(), expected);
  expect_whole();
}

TEST_F(SpoolRepair, TakesOutMessagesWhoseContentFilesAreDamagedOrMissing) {
  fill();
  const std::string large(2 * spool::kMaxInlineContent, 'x');
  const auto missing = add(large + "missing");
  const auto damaged = add(large + "damaged");
  const auto kept = add(large + "kept");
  const auto folder = fs::path(place_.directory);
  fs::remove(folder / spool::content_name(missing));
  const auto bytes = large + "dAmaged";
  write(folder / spool::content_name(damaged), bytes);
  ASSERT_FALSE(plan());
  for (const auto id : {missing, damaged}) {
    EXPECT_TRUE(
        said("unreadable: message " + to_string(id) + ", from <sender@example.net>, to <a@example.org>"))
        << out_;
    EXPECT_TRUE(said("to do: take message " + to_string(id) + " out of the queue\n")) << out_;
  }
  const auto done = repair_into("evidence");
  ASSERT_TRUE(done) << done.error().text << out_;
  expect_whole();
  const auto left = messages();
  EXPECT_EQ(left.size(), 14U);
  EXPECT_TRUE(left.at(to_string(kept)).starts_with(large + "kept"));
  EXPECT_EQ(files(base_ / "evidence").at(spool::content_name(damaged)), bytes);
  EXPECT_FALSE(fs::exists(folder / spool::content_name(damaged)));
}

TEST_F(SpoolRepair, KeepsContentFilesOfWhichNoMessageIsKnown) {
  const std::string large(2 * spool::kMaxInlineContent, 'x');
  const auto id = add(large);
  const auto name = spool::content_name(id);
  write(segment(0), "#" + content_of(0).substr(1));
  ASSERT_FALSE(plan());
  EXPECT_TRUE(said("to do: copy " + name + ", of which no message is known, and remove it\n")) << out_;
  const auto done = repair_into("evidence");
  ASSERT_TRUE(done) << done.error().text << out_;
  EXPECT_EQ(files(base_ / "evidence").at(name), large);
  EXPECT_FALSE(fs::exists(fs::path(place_.directory) / name));
  expect_whole();
}

TEST_F(SpoolRepair, WritesOverNoFolderThatHasSomethingInIt) {
  fill();
  damage("the one that is lost");
  fs::create_directory(base_ / "evidence");
  write(base_ / "evidence" / "precious", "precious");
  const auto before = files(place_.directory);
  auto done = repair_into("evidence");
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().text.find("is not empty"), std::string::npos) << done.error().text;
  done = repair_into("not/there");
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().text.find("the queue was not changed"), std::string::npos) << done.error().text;
  EXPECT_EQ(files(place_.directory), before);
}

TEST_F(SpoolRepair, LosesNothingWhereverItEndsAndIsFinishedByTheNextRun) {
  fill();
  damage("the one that is lost");
  write(segment(1), content_of(1).replace(0, 1, "#"));
  const auto saved = base_ / "saved";
  fs::copy(place_.directory, saved);
  const auto expected = messages();
  spool::SystemClock clock;
  std::uint64_t calls = 0;
  for (bool ended = true; ended; calls += 9) {
    fs::remove_all(place_.directory);
    fs::copy(saved, place_.directory);
    spool::PosixDisk disk(UniqueFd(::open(place_.directory.c_str(), O_RDONLY | O_DIRECTORY)));
    spool::EndingDisk ending(disk, calls);
    const spool::EngineOptions options{.segment_bytes = kTestSegment,
                                       .spare_segments = 2,
                                       .max_message_bytes = kTestSegment * 4,
                                       .max_spool_bytes = kTestSegment * 100,
                                       .salt = ++salt_};
    const auto number = std::to_string(calls);
    const RepairOrder order{true, base_ / ("first" + number), false};
    const auto first = run([&] { return repair({place_.directory, ending, options}, clock, order, false); });
    ended = ending.ended();
    ASSERT_EQ(first.has_value(), !ended) << out_;
    ASSERT_EQ(messages(), expected) << calls;
    const auto second = repair_into("second" + number);
    ASSERT_TRUE(second) << calls << second.error().text;
    expect_whole();
    ASSERT_EQ(messages(), expected) << calls;
  }
  EXPECT_GT(calls, 100U);
}

TEST_F(SpoolRepair, HasRoomHoweverMuchRepairsTookThatWereBrokenOff) {
  fill();
  with_engine(place_.directory, [](spool::Engine& engine) {
    for (int i = 0; i < 20; ++i) {
      // Two groups fill a segment, so that moving what is in it gains nothing.
      std::vector<spool::Op> ops;
      for (int n = 0; n < 20; ++n) {
        spool::AddMessage message{*engine.lease(1), {}, std::string(1'250, 'a')};
        message.envelope.recipients.push_back(*mail::Mailbox::from_wire("a@example.org"));
        ops.emplace_back(std::move(message));
      }
      for (const auto& done : engine.commit(ops)) ASSERT_TRUE(done) << done.error().text;
      while (engine.maintain().value_or(false)) {
      }
    }
  });
  damage("the one that is lost");
  const auto expected = messages();
  std::uint64_t segments = 0;
  for (const auto& [name, content] : files(place_.directory)) {
    constexpr std::size_t kRole = 32;
    if (content.size() < kTestSegment) continue;
    const bool spare = content[kRole] == 0;
    if (spare) write(fs::path(place_.directory) / name, "");  // its space was given back
    segments += spare ? 0 : 1;
  }
  constexpr std::uint64_t kTaken = 5;
  ASSERT_GE(segments, kTaken + 4);
  spool::PosixDisk disk(UniqueFd(::open(place_.directory.c_str(), O_RDONLY | O_DIRECTORY)));
  spool::SystemClock clock;
  const QueueOnDisk queue{place_.directory,
                          {disk, nullptr},
                          {.segment_bytes = kTestSegment,
                           .spare_segments = 2,
                           .max_message_bytes = kTestSegment * 4,
                           .max_spool_bytes = (segments - kTaken) * kTestSegment,
                           .salt = ++salt_}};
  const auto done = run([&] { return repair(queue, clock, {true, base_ / "evidence", false}, false); });
  EXPECT_TRUE(done) << done.error().text << out_;
  EXPECT_EQ(messages(), expected);
}

TEST_F(SpoolRepair, IsRefusedBesideAServer) {
  fill();
  damage("the one that is lost");
  auto folders = SpoolFolders::open(options_, place_, SpoolFolders::Use::read);
  ASSERT_TRUE(folders);
  const auto done = repair_into("evidence");
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().text.find("is in use"), std::string::npos) << done.error().text;
  EXPECT_FALSE(fs::exists(base_ / "evidence"));
}

}  // namespace
}  // namespace sternpost::tool

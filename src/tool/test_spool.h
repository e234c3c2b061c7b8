// For tests: a queue on disk in a folder of its own, and what a command prints about it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "spool/engine.h"
#include "spool/posix_disk.h"
#include "tool/spool_folders.h"

namespace sternpost::tool {

inline constexpr std::uint64_t kTestSegment = 64 * 1024;

class TestSpool : public testing::Test {
 protected:
  TestSpool() {
    std::string name = testing::TempDir() + "spool-XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    base_ = name;
    place_.directory = make_queue("spool");
  }
  ~TestSpool() override { std::filesystem::remove_all(base_); }

  /// An empty queue.
  std::string make_queue(const std::string& name) {
    const auto folder = base_ / name;
    std::filesystem::create_directory(folder);
    with_engine(folder, [](spool::Engine& engine) {
      while (engine.maintain().value_or(false)) {
      }
    });
    return folder;
  }

  /// Opens the queue as a server does; `deferred` is the folder of its deferred log, if it has one.
  template <class Use>
  void with_engine(const std::string& folder, Use&& use, const std::string& deferred = "") {
    spool::PosixDisk disk(UniqueFd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY)));
    spool::PosixDisk second(UniqueFd(::open(deferred.c_str(), O_RDONLY | O_DIRECTORY)));
    spool::SystemClock clock;
    auto engine = spool::Engine::open({disk, deferred.empty() ? nullptr : &second}, clock,
                                      {.segment_bytes = kTestSegment,
                                       .spare_segments = 2,
                                       .max_message_bytes = kTestSegment * 4,
                                       .max_spool_bytes = kTestSegment * 100,
                                       .salt = ++salt_});
    ASSERT_TRUE(engine) << engine.error().text;
    use(**engine);
  }

  static void commit(spool::Engine& engine, spool::Op op) {
    const std::vector<spool::Op> ops{std::move(op)};
    const auto done = engine.commit(ops).front();
    ASSERT_TRUE(done) << done.error().text;
  }

  static mail::RecipientOutcome outcome(std::uint32_t recipient, mail::Disposition disposition) {
    return {recipient, disposition, {450, {4, 2, 0}, "not \"now\""}, WallTime{7'000'000}, "mx.example.net"};
  }

  /// A message to a, b and c, of which b has a deferral and c has failed.
  QueueId add(const std::string& content, bool held = false) {
    QueueId id;
    with_engine(place_.directory, [&](spool::Engine& engine) {
      id = *engine.lease(1);
      spool::AddMessage message{id, {}, content, held};
      if (content.size() > spool::kMaxInlineContent) {
        spool::PosixDisk disk(UniqueFd(::open(place_.directory.c_str(), O_RDONLY | O_DIRECTORY)));
        message.file = *spool::write_content(disk, id, std::exchange(message.content, ""));
      }
      message.envelope.reverse_path = mail::Mailbox::from_wire("sender@example.net");
      for (const auto* user : {"a@example.org", "\"b c\"@example.org", "c@example.org"}) {
        message.envelope.recipients.push_back(*mail::Mailbox::from_wire(user));
      }
      message.envelope.arrival = WallTime{1'700'000'000'123'456};
      message.envelope.origin = {"ESMTP", "192.0.2.1:4000", "client \"x\"", "s1"};
      message.envelope.eight_bit = true;
      commit(engine, message);
      commit(engine, spool::RecordOutcomes{id, {outcome(1, mail::Disposition::deferred)}});
      commit(engine, spool::RecordOutcomes{id, {outcome(2, mail::Disposition::failed)}});
    });
    return id;
  }

  /// The name and content of each file in a folder.
  static std::map<std::string, std::string> files(const std::filesystem::path& folder) {
    std::map<std::string, std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      std::ostringstream content;
      content << std::ifstream(entry.path(), std::ios::binary).rdbuf();
      all[entry.path().filename()] = content.str();
    }
    return all;
  }
  static void write(const std::filesystem::path& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
  }

  /// Flips a bit of the first occurrence of `text` in any segment.
  void damage(const std::string& text) {
    for (auto& [name, content] : files(place_.directory)) {
      const auto at = content.find(text);
      if (at == std::string::npos) continue;
      content[at] = static_cast<char>(content[at] ^ 1);
      write(std::filesystem::path(place_.directory) / name, content);
      return;
    }
    ADD_FAILURE() << text << " is in no segment";
  }

  /// Runs a command; `out` is what it printed.
  template <class Command>
  Outcome<void> run(Command&& command) {
    testing::internal::CaptureStdout();
    auto done = command();
    std::fflush(stdout);
    out_ = testing::internal::GetCapturedStdout();
    return done;
  }

  std::filesystem::path base_;
  SpoolPlace place_;
  Options options_;
  std::string out_;
  std::uint64_t salt_ = 100;
};

}  // namespace sternpost::tool

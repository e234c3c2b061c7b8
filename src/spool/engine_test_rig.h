// A spool in a folder of its own, on a disk that fails where a test wants it to.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

#include "spool/engine.h"
#include "spool/posix_disk.h"

namespace sternpost::spool {

inline constexpr std::uint64_t kSegment = 64 * 1024;

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
    return failing(name, disk_.open(name));
  }
  Result<std::unique_ptr<DiskFile>> open_existing(const std::string& name) override {
    if (name == unopenable) return fail_errno("opening", EIO);
    return failing(name, disk_.open_existing(name));
  }
  Result<std::unique_ptr<DiskFile>> create(const std::string& name) override {
    return failing(name, disk_.create(name));
  }
  Result<void> remove(const std::string& name) override { return disk_.remove(name); }
  Result<void> sync_directory() override { return disk_.sync_directory(); }
  Result<std::uint64_t> free_bytes() override { return free; }

  /// Bytes of a file, or of all where it has no name.
  struct Range {
    std::string file;
    std::uint64_t from = 0;
    std::uint64_t to = 0;
    [[nodiscard]] bool meets(const std::string& name, std::uint64_t offset, std::uint64_t length) const {
      return (file.empty() || name == file) && offset < to && offset + length > from;
    }
  };

  int failing_syncs = 0;
  std::string unopenable;        ///< for reading
  std::set<std::string> synced;  ///< names of files
  Range unreadable;
  std::uint64_t unreadable_times = UINT64_MAX;
  Range unwritable;
  bool quota_is_used_up = false;  ///< no file grows, whatever `free` says
  std::uint64_t written = 0;
  std::uint64_t reads = 0;
  std::uint64_t bytes_read = 0;
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
      disk_.bytes_read += out.size();
      if (disk_.unreadable_times > 0 && disk_.unreadable.meets(name_, offset, out.size())) {
        --disk_.unreadable_times;
        return fail_errno("reading", EIO);
      }
      return file_->read(offset, out);
    }
    Result<void> sync() override {
      if (disk_.failing_syncs > 0) {
        --disk_.failing_syncs;
        return fail_errno("syncing", EIO);
      }
      disk_.synced.insert(name_);
      return file_->sync();
    }
    void begin_write_out(std::uint64_t offset, std::uint64_t bytes) override {
      file_->begin_write_out(offset, bytes);
    }
    Result<std::uint64_t> size() override { return file_->size(); }
    Result<void> clear() override { return file_->clear(); }

   private:
    FailingDisk& disk_;
    std::string name_;
    std::unique_ptr<DiskFile> file_;
  };

  Result<std::unique_ptr<DiskFile>> failing(const std::string& name, Result<std::unique_ptr<DiskFile>> file) {
    if (!file) return file;
    return std::make_unique<File>(*this, name, std::move(*file));
  }

  PosixDisk disk_;
};

/// Stands still until a test moves it.
class ManualClock : public Clock {
 public:
  WallTime now() override { return wall; }
  Microseconds elapsed() override { return since_start; }
  void pass(Microseconds time) {
    wall = wall + time;
    since_start += time;
  }

  WallTime wall{1'700'000'000'000'000};
  Microseconds since_start{0};
};

class EngineRig : public testing::Test {
 protected:
  EngineRig() {
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
  ~EngineRig() override { std::filesystem::remove_all(folder_); }

  void start() {
    engine_.reset();
    ++options_.salt;
    auto opened = Engine::open(Disks(*disk_, second_disk_.get()), clock_, options_);
    ASSERT_TRUE(opened) << opened.error().text;
    engine_ = std::move(*opened);
  }

  static std::string first_block(const std::string& path) {
    std::string block(kBlock, '\0');
    std::ifstream(path, std::ios::binary).read(block.data(), kBlock);
    return block;
  }
  /// Paths of the files of spares.
  [[nodiscard]] std::vector<std::string> spares() const {
    std::vector<std::string> paths;
    for (const auto& file : std::filesystem::directory_iterator(folder_)) {
      auto fault = HeaderFault::blank;
      const auto header = decode_segment_header(first_block(file.path()), fault);
      if (header && header->role == SegmentRole::spare) paths.push_back(file.path());
    }
    return paths;
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

  /// What was said of a recipient of a live message last, wherever that is.
  std::string text_of(QueueId id, std::uint32_t recipient) {
    auto message = engine_->find(id);
    const auto read = engine_->read_texts(*message);
    EXPECT_TRUE(read) << read.error().text;
    return message->state.find(recipient)->last.reply.text;
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
  std::unique_ptr<FailingDisk> second_disk_;  ///< of the deferred log; null where it has none
  ManualClock clock_;
  EngineOptions options_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace sternpost::spool

// Other ways to make a group durable than that of src/spool/posix_disk.h, to measure whether one is better.
// Not for use: where they answer before anything is durable, a crash loses mail.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "spool/disk.h"

namespace sternpost::bench {

/// A disk whose files are opened by another one, and written in another way.
class VariantDisk : public spool::Disk {
 public:
  explicit VariantDisk(std::unique_ptr<spool::Disk> disk) : disk_(std::move(disk)) {}
  Result<std::vector<std::string>> list() override { return disk_->list(); }
  Result<std::unique_ptr<spool::DiskFile>> open(const std::string& name) override {
    return disk_->open(name);
  }
  Result<std::unique_ptr<spool::DiskFile>> open_existing(const std::string& name) override {
    return disk_->open_existing(name);
  }
  Result<std::unique_ptr<spool::DiskFile>> create(const std::string& name) override {
    return disk_->create(name);
  }
  Result<void> remove(const std::string& name) override { return disk_->remove(name); }
  Result<void> sync_directory() override { return disk_->sync_directory(); }
  Result<std::uint64_t> free_bytes() override { return disk_->free_bytes(); }

 private:
  std::unique_ptr<spool::Disk> disk_;
};

/// Writes with O_DIRECT and O_DSYNC, from aligned memory: each write is durable when it returns.
class DirectDisk : public VariantDisk {
 public:
  DirectDisk(std::unique_ptr<spool::Disk> disk, std::filesystem::path folder)
      : VariantDisk(std::move(disk)), folder_(std::move(folder)) {}
  Result<std::unique_ptr<spool::DiskFile>> open(const std::string& name) override;

 private:
  std::filesystem::path folder_;
};

/// Leaves writing and syncing to a thread, one group at a time: sync() returns at once, and what comes next
/// waits until the thread is done.
class ThreadedDisk : public VariantDisk {
 public:
  explicit ThreadedDisk(std::unique_ptr<spool::Disk> disk);
  ~ThreadedDisk() override;
  ThreadedDisk(const ThreadedDisk&) = delete;
  ThreadedDisk& operator=(const ThreadedDisk&) = delete;
  Result<std::unique_ptr<spool::DiskFile>> open(const std::string& name) override;

  /// Returns when nothing is under way.
  void wait();
  /// Leaves `bytes`, which stay as they are until wait() returns, to the thread.
  void hand_over(spool::DiskFile& file, std::uint64_t offset, const std::string& bytes);

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  spool::DiskFile* file_ = nullptr;  ///< of what is under way
  std::uint64_t offset_ = 0;
  const std::string* bytes_ = nullptr;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace sternpost::bench

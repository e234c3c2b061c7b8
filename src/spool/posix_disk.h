// The real disk: one folder of a file system, buffered writes and fdatasync.
#pragma once

#include <chrono>
#include <string>

#include "base/unique_fd.h"
#include "spool/disk.h"

namespace sternpost::spool {

/// Files below one directory descriptor, reached with openat only and never through a symbolic link.
class PosixDisk : public Disk {
 public:
  /// With `read`, files are neither made nor opened for writing, so that the folder need not be writable.
  enum class Access : unsigned char { write, read };

  explicit PosixDisk(UniqueFd directory, Access access = Access::write)
      : directory_(std::move(directory)), access_(access) {}

  Result<std::vector<std::string>> list() override;
  Result<std::unique_ptr<DiskFile>> open(const std::string& name) override;
  Result<std::unique_ptr<DiskFile>> open_existing(const std::string& name) override;
  Result<std::unique_ptr<DiskFile>> create(const std::string& name) override;
  Result<void> remove(const std::string& name) override;
  /// The same folder as an open file of its own, for another thread: the kernel tells each open file once of
  /// what it could not write, so that who syncs one takes no error from who syncs the other.
  Result<PosixDisk> reopened();
  /// For reading alone, to be given to another process.
  Result<UniqueFd> open_descriptor(const std::string& name);
  Result<void> sync_directory() override;
  Result<std::uint64_t> free_bytes() override;

 private:
  Result<UniqueFd> open(const std::string& name, int access);

  UniqueFd directory_;
  Access access_;
};

/// The system's clocks.
class SystemClock : public Clock {
 public:
  WallTime now() override { return wall_now(); }
  Microseconds elapsed() override {
    return std::chrono::duration_cast<Microseconds>(std::chrono::steady_clock::now().time_since_epoch());
  }
};

}  // namespace sternpost::spool

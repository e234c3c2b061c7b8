// A disk that behaves as badly as disks may: what was not synced is forgotten, torn at 512 bytes or written
// in any order when power fails; calls fail; a failed sync leaves pages that can be read and are not on the
// disk; and the process dies at any call.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "spool/disk.h"
#include "spool/segment.h"

namespace sternpost::sim {

/// The process ends here. Thrown by SimDisk out of any call, caught by the driver alone.
struct Crash {};

struct FailureRates {
  double sync = 0;
  double write = 0;
  double other = 0;
};

/// Ways in which this disk breaks its promises: the test of the tests.
struct Lies {
  bool sync_forgets = false;         ///< sync answers success and does nothing
  bool header_sync_forgets = false;  ///< the same where the first block is all that was written
  bool directory_sync_forgets = false;
};

class SimDisk : public spool::Disk {
 public:
  SimDisk(std::mt19937_64& random, std::uint64_t capacity, Lies lies)
      : random_(random), capacity_(capacity), lies_(lies) {}

  Result<std::vector<std::string>> list() override;
  Result<std::unique_ptr<spool::DiskFile>> open(const std::string& name) override;
  Result<std::unique_ptr<spool::DiskFile>> open_existing(const std::string& name) override;
  Result<std::unique_ptr<spool::DiskFile>> create(const std::string& name) override;
  Result<void> remove(const std::string& name) override;
  Result<void> sync_directory() override;
  Result<std::uint64_t> free_bytes() override;

  /// The call that many calls from now does not return; 0 is never.
  void crash_after(std::uint64_t calls) { calls_to_crash_ = calls; }
  void set_failures(const FailureRates& rates) { rates_ = rates; }
  /// Calls neither fail nor crash while this is set.
  void set_calm(bool calm) { calm_ = calm; }
  void set_capacity(std::uint64_t bytes) { capacity_ = bytes; }
  /// From now on `count` sectors of what is there cannot be read, each until it is written.
  void rot(std::size_t count);
  /// All sectors can be read again.
  void heal();
  /// All that is left is on the disk: of what was not synced any part, in any order.
  void lose_power();

 private:
  static constexpr std::size_t kSector = 512;

  struct Inode {
    std::string cache;
    std::string durable;
    /// For each sector, what was written to it since it was last known to be on the disk, oldest first.
    std::map<std::size_t, std::vector<std::string>> unsynced;
    std::set<std::size_t> unreadable;  ///< sectors
    /// What was durable when the file was emptied, until that is known to be on the disk.
    std::optional<std::string> before_clear;
  };
  using Directory = std::map<std::string, std::shared_ptr<Inode>>;

  class File;

  bool chance(double probability);
  std::size_t below(std::size_t n);
  void count_call();
  Result<void> may_fail(double rate, const char* what);
  void write_sectors(Inode& inode, std::uint64_t offset, std::string_view bytes);
  Result<void> write(Inode& inode, std::uint64_t offset, std::string_view bytes);
  Result<void> sync(Inode& inode);
  static bool cuts_unreadable(const Inode& inode, std::uint64_t offset, std::uint64_t bytes);
  static void put_durable(Inode& inode, std::size_t sector, const std::string& bytes);

  std::mt19937_64& random_;
  std::uint64_t capacity_;
  Lies lies_;
  FailureRates rates_;
  bool calm_ = false;
  std::uint64_t calls_to_crash_ = 0;
  Directory cached_names_;
  Directory durable_names_;
};

}  // namespace sternpost::sim

// What the engine asks of a disk: named files in one folder, written, read and synced. The real one is
// posix_disk.h; the simulated one (tests/sim) forgets, tears and reorders what was not synced.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace sternpost::spool {

inline std::string join(std::span<const std::string_view> pieces) {
  std::string joined;
  for (const auto piece : pieces) joined += piece;
  return joined;
}

class DiskFile {
 public:
  virtual ~DiskFile() = default;

  /// Writes all of `bytes`, extending the file where needed. After a failure any part of it may be there.
  virtual Result<void> write(std::uint64_t offset, std::string_view bytes) = 0;
  /// The same of all `pieces`, one behind the other.
  virtual Result<void> write_pieces(std::uint64_t offset, std::span<const std::string_view> pieces) {
    return write(offset, join(pieces));
  }
  /// Fills `out`; the number of bytes is smaller only at the end of the file.
  virtual Result<std::size_t> read(std::uint64_t offset, std::span<char> out) = 0;
  /// What was written and the size are durable when this succeeds. After a failure nothing is known, and a
  /// later success says nothing about what was written before the failure: write it again.
  virtual Result<void> sync() = 0;
  /// Has the disk write what was written here, so that a later sync() finds little to do. Makes nothing
  /// durable.
  virtual Result<void> write_out(std::uint64_t /*offset*/, std::uint64_t /*bytes*/) { return {}; }
  /// Has the disk begin with what was written here, and waits for nothing. A failure is sync()'s to tell.
  virtual void begin_write_out(std::uint64_t /*offset*/, std::uint64_t /*bytes*/) {}
  virtual Result<std::uint64_t> size() = 0;
  /// Gives back what the file takes. After a crash all of it may be there again.
  virtual Result<void> clear() = 0;
};

class Disk {
 public:
  virtual ~Disk() = default;

  /// Names of all files in the folder, in any order.
  virtual Result<std::vector<std::string>> list() = 0;
  /// Opens for reading and writing; creates the file where there is none.
  virtual Result<std::unique_ptr<DiskFile>> open(const std::string& name) = 0;
  /// Opens what is there, for reading alone; ENOENT where nothing is.
  virtual Result<std::unique_ptr<DiskFile>> open_existing(const std::string& name) = 0;
  /// Makes a file; EEXIST where there is one.
  virtual Result<std::unique_ptr<DiskFile>> create(const std::string& name) = 0;
  /// Success also where there is none. Not durable before the next sync_directory(): after a crash the file
  /// may be there again.
  virtual Result<void> remove(const std::string& name) = 0;
  /// Names created and removed before are so durably when this succeeds.
  virtual Result<void> sync_directory() = 0;
  /// Bytes that may still be written to new files.
  virtual Result<std::uint64_t> free_bytes() = 0;
};

/// Where the logs are: in one folder, or the deferred log in another, perhaps on another disk. Both outlive
/// whoever is given them.
struct Disks {
  // NOLINTNEXTLINE(google-explicit-constructor): one disk is the ordinary case
  Disks(Disk& everything) : main(&everything) {}
  Disks(Disk& incoming, Disk* of_deferred) : main(&incoming), deferred(of_deferred) {}

  Disk* main;
  Disk* deferred = nullptr;  ///< null where it is the same
};

/// What a medium says of bytes that it cannot give back: trying again seldom helps.
inline bool is_unreadable(const Error& error) {
  return error.errno_value == EIO || error.errno_value == EBADMSG || error.errno_value == EUCLEAN ||
         error.errno_value == EILSEQ || error.errno_value == ENODATA;
}
/// How often it is asked for them nevertheless.
inline constexpr unsigned kReadTries = 3;
/// Calls `read` until it gives something else than that, at most so often.
template <class Read>
auto read_patiently(const Read& read) {
  auto result = read();
  for (unsigned tries = 1; tries < kReadTries && !result && is_unreadable(result.error()); ++tries) {
    result = read();
  }
  return result;
}

class Clock {
 public:
  virtual ~Clock() = default;
  /// What records carry. Whoever sets the clock makes it step, either way and by years: it measures nothing.
  virtual WallTime now() = 0;
  /// Since a fixed moment; never steps. What durations are measured by.
  virtual Microseconds elapsed() = 0;
};

}  // namespace sternpost::spool

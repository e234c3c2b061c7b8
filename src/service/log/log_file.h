// One file of the log: appended to, rotated by size, and never in anyone's way when the disk is full.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sternpost::logging {

/// Lines gather in memory until flush() writes them, all at once. What the disk does not take stays, up to
/// kMaxPending octets; further lines are dropped and counted. Rotation makes NAME.1 of NAME, NAME.2 of NAME.1
/// and so on, and forgets the oldest.
class LogFile {
 public:
  static constexpr std::size_t kMaxPending = 4UL << 20U;

  struct Limits {
    std::uint64_t max_bytes = 0;
    std::uint32_t keep_files = 0;
  };

  /// `folder` is borrowed and must outlive this. The file is opened, or created with mode 0640, at the first
  /// flush.
  LogFile(int folder, std::string name, Limits limits);

  void set_limits(Limits limits) { limits_ = limits; }

  /// Gathers one line with its LF. False where it was dropped.
  bool append(std::string_view line);

  /// Writes what is gathered, rotating first where the file is full. On an error all of it stays gathered.
  Result<void> flush();

  [[nodiscard]] std::size_t pending() const { return pending_.size(); }

 private:
  Result<void> open();
  Result<void> rotate();

  int folder_;
  std::string name_;
  Limits limits_;
  UniqueFd file_;
  std::uint64_t size_ = 0;
  bool within_line_ = false;  ///< the disk took half a line; the rest must follow it into the same file
  std::string pending_;
};

}  // namespace sternpost::logging

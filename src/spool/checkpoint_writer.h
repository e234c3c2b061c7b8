// Writes checkpoints in bounded steps, between commits: so that a start need not read all of the log.
//
// A failure, or a log of which it is not settled where it ends, gives the one that is being written up; the
// one before stays as good as it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "spool/checkpoint.h"
#include "spool/disk.h"
#include "spool/id_runs.h"
#include "spool/id_set.h"
#include "spool/index.h"
#include "spool/segment_log.h"

namespace sternpost::spool {

class CheckpointWriter {
 public:
  /// All are borrowed; `disk` is the main one. `interval`: bytes written to the log after which there is one,
  /// but no sooner than a checkpoint's bytes were written kLeastRatio times; 0: never.
  CheckpointWriter(Disk& disk, const SegmentLog& log, const Index& index, const IdSet& committed,
                   std::uint64_t interval);

  void set_interval(std::uint64_t bytes) { interval_ = bytes; }

  /// What a start would have to read by now is worth one; `late`: much more than that.
  [[nodiscard]] bool is_due() const { return is_due(1); }
  [[nodiscard]] bool is_late() const { return is_due(kLate); }
  [[nodiscard]] bool busy() const { return file_ != nullptr; }
  /// Begins one, or goes on with it: about so many `bytes`. True while there is more to write.
  Result<bool> step(std::uint64_t bytes);
  /// Begins one if anything was written since the last, and ends it.
  Result<void> finish();
  /// For recovery: this one was used, `serial` being 0 where none was.
  void resume_after(std::uint64_t serial, std::size_t file) {
    serial_ = serial;
    next_file_ = 1 - file;
  }

  [[nodiscard]] std::uint64_t written() const { return written_; }  ///< checkpoints, since the start
  [[nodiscard]] std::uint64_t bytes_written() const { return bytes_written_; }

 private:
  static constexpr std::uint64_t kLeastRatio = 8;
  static constexpr std::uint64_t kLate = 16;

  [[nodiscard]] bool is_due(std::uint64_t times) const;
  /// What is still to be done for the one that is being written.
  enum class Phase : unsigned char { live_ids, finished_ids, entries };
  Result<void> go_on(const Coverage& coverage, std::uint64_t bytes);
  Result<void> begin();
  void gather_ids();
  Result<void> write_piece(std::string_view body);
  Result<void> write_entries(const Coverage& coverage, std::uint64_t bytes);
  Result<void> seal(const Coverage& coverage);
  void give_up();

  Disk& disk_;
  const SegmentLog& log_;
  const Index& index_;
  const IdSet& committed_;
  std::uint64_t interval_;

  std::uint64_t serial_ = 0;  ///< of the last one
  std::size_t next_file_ = 0;
  std::uint64_t last_bytes_ = 0;    ///< of the last one
  std::uint64_t log_bytes_at_ = 0;  ///< written to the log when it was begun, or given up
  std::uint64_t written_ = 0;
  std::uint64_t bytes_written_ = 0;

  std::unique_ptr<DiskFile> file_;  ///< of the one that is being written
  Phase phase_ = Phase::live_ids;
  IdRuns ids_;
  std::uint64_t position_ = 0;       ///< of the live message whose id was gathered last
  std::uint64_t last_position_ = 0;  ///< when it was begun: what came later is in the log behind it
  std::size_t bucket_ = 0;           ///< of the index, whose finished ones are gathered next
  std::size_t buckets_ = 0;
  std::uint64_t end_ = 0;
  std::uint64_t pieces_ = 0;
  std::uint64_t begun_at_ = 0;  ///< bytes written to the log
};

}  // namespace sternpost::spool

// Writes records to the log folder: history.jsonl for programs and, where configured, mail.log for people.
#pragma once

#include <cstdint>
#include <vector>

#include "config/slices.h"
#include "runtime/control_protocol.h"
#include "runtime/record.h"
#include "service/log/log_file.h"

namespace sternpost::logging {

class RecordWriter {
 public:
  /// `folder` is borrowed and must outlive this.
  RecordWriter(int folder, const config::LogSlice& slice);

  void set_limits(const config::LogSlice& slice);

  /// Gathers a record for both files.
  void write(const Record& record);

  /// Writes what is gathered. Where records were dropped before, a record at the time `now` says how many.
  Result<void> flush(WallTime now);

  [[nodiscard]] std::vector<control::Counter> counters() const;

 private:
  bool gather(const Record& record);

  bool text_;
  LogFile history_;
  LogFile mail_log_;
  std::string line_;
  std::uint64_t written_ = 0;
  std::uint64_t dropped_ = 0;
  std::uint64_t unreported_ = 0;
  std::uint64_t failures_ = 0;
};

}  // namespace sternpost::logging

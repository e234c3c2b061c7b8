// Reads the file of a segment with records: what of it counts, given what the headers of all segments say.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/result.h"
#include "spool/disk.h"
#include "spool/scan.h"
#include "spool/segment.h"

namespace sternpost::spool {

/// Where segments end by the headers of later ones.
class NamedEnds {
 public:
  void add(const SegmentEnd& previous);
  [[nodiscard]] std::optional<std::uint64_t> find(const SegmentHeader& header) const;

 private:
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::uint64_t> ends_;  ///< by slot and generation
};

struct ScannedFile {
  std::string bytes;
  SegmentScan scan;  ///< views into `bytes`
  std::uint64_t bytes_read = 0;
  bool end_is_known = false;  ///< a later start finds no other one
};

/// `newest`: nothing was written after it in its log. What the disk cannot read, or the file has not got,
/// counts as damage; fails where reading fails otherwise. What is before `start` is not read.
Result<ScannedFile> scan_file(DiskFile& file, std::uint64_t file_bytes, const SegmentHeader& header,
                              const NamedEnds& ends, bool newest, const ScanStart& start = {});

}  // namespace sternpost::spool

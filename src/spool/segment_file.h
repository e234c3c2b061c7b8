// Reads the file of a segment: what its first block says and, where it has records, what of them counts,
// given what the headers of all segments say.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/result.h"
#include "spool/disk.h"
#include "spool/scan.h"
#include "spool/segment.h"

namespace sternpost::spool {

/// A file of the spool, and what its first block says.
struct FoundSegment {
  std::uint32_t slot = 0;
  std::unique_ptr<DiskFile> file;  ///< null where it cannot be opened
  std::uint64_t file_bytes = 0;
  std::optional<SegmentHeader> header;
  std::string why_not;  ///< why there is no header; empty where the file was only being prepared
  bool is_of_other_version = false;
};

/// Fails where opening or reading fails for another reason than a medium that does not give it back.
Result<FoundSegment> look_at_segment(Disk& disk, std::uint32_t slot);

/// Nothing but zeroes: a file that was only being prepared. What cannot be read may be anything.
Result<bool> is_blank(DiskFile& file, std::uint64_t bytes);

/// Writes what is read there once more and syncs: after a sync that failed, what memory holds and the disk
/// has not is not written by a later sync. Blocks that cannot be read stay as they are.
Result<void> rewrite(DiskFile& file, std::uint64_t offset, std::uint64_t length);

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

// Segments that a queue once had and has not got: for them the server does not start.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "spool/disk.h"

namespace sternpost::tool {

struct AbsentSegment {
  std::uint32_t slot = 0;
  spool::Disk* disk = nullptr;  ///< where its file is to be
  bool foreign = false;         ///< in its place is one of another spool; else there is no file
};

/// By slot. Fails where it cannot be told: a file cannot be opened, one name is in both folders, or a folder
/// seems to be of another queue altogether.
Result<std::vector<AbsentSegment>> find_absent(const spool::Disks& disks);

/// Puts a file in the place of each, durably, that a start takes for a segment with a damaged header: it
/// gives no id and no generation a second time that may have been in the one that is gone.
Result<void> put_placeholders(std::span<const AbsentSegment> absent);

}  // namespace sternpost::tool

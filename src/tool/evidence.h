// Copies of damaged files, made before anything is done to them.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "spool/disk.h"
#include "tool/export_folder.h"
#include "tool/failure.h"

namespace sternpost::tool {

struct KeptFile {
  std::string name;
  std::uint64_t octets = 0;
  /// Offset and length of what the disk did not give back: zeroes in the copy.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> unreadable;
};

/// Opens a folder that is new, or has nothing in it.
Outcome<ExportFolder> open_evidence(const std::string& path);

/// Copies a file of this disk octet for octet, as far as it can be read. Its name is durable after sync().
Outcome<KeptFile> keep(spool::Disk& disk, const std::string& name, ExportFolder& folder);

}  // namespace sternpost::tool

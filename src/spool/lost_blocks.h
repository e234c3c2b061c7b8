// Reading from a disk that does not give every block back.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "spool/disk.h"

namespace sternpost::spool {

/// Blocks of one segment that the disk does not give back, after which it is not asked for more: a dying disk
/// takes seconds for each.
inline constexpr std::size_t kMostLostBlocks = 64;

/// Fills `out` from `offset`; what lies behind the end of the file stays as it is. Blocks that the disk does
/// not give back, however often it is asked, become zeroes, and so does all behind kMostLostBlocks of them;
/// answers where they are. Fails where reading fails otherwise.
Result<std::vector<std::uint64_t>> read_blocks(DiskFile& file, std::uint64_t offset, std::span<char> out);

}  // namespace sternpost::spool

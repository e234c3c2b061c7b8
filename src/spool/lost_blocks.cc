#include "spool/lost_blocks.h"

#include <algorithm>

#include "spool/segment.h"

namespace sternpost::spool {

Result<std::vector<std::uint64_t>> read_blocks(DiskFile& file, std::uint64_t offset, std::span<char> out) {
  std::vector<std::uint64_t> lost;
  auto all = file.read(offset, out);
  if (all) return lost;
  if (!is_unreadable(all.error())) return fail_with(std::move(all));
  for (std::uint64_t at = 0; at < out.size(); at += kBlock) {
    const auto block = out.subspan(at, std::min(kBlock, out.size() - at));
    if (lost.size() >= kMostLostBlocks) {
      std::ranges::fill(block, '\0');
      lost.push_back(offset + at);
      continue;
    }
    auto got = read_patiently([&] { return file.read(offset + at, block); });
    if (!got && !is_unreadable(got.error())) return fail_with(std::move(got));
    if (got) continue;
    std::ranges::fill(block, '\0');
    lost.push_back(offset + at);
  }
  return lost;
}

}  // namespace sternpost::spool

#include "tool/repair.h"
#include "tool/spool_commands.h"

namespace sternpost::tool {

Outcome<void> spool_repair(const Options& options, const SpoolPlace& place, const RepairOrder& order) {
  const auto use = order.write ? SpoolFolders::Use::write : SpoolFolders::Use::read;
  auto folders = SpoolFolders::open(options, place, use);
  if (!folders) return std::unexpected(std::move(folders.error()));
  spool::SystemClock clock;
  return repair({folders->path(), folders->disks(), folders->options()}, clock, order, options.json);
}

}  // namespace sternpost::tool

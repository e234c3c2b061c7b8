#include <fmt/format.h>

#include "tool/spool_commands.h"
#include "tool/spool_findings.h"

namespace sternpost::tool {
namespace {

void print_json(const Findings& found) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object();
  append_json(writer, found);
  writer.end_object();
  fmt::print("{}\n", out);
}

}  // namespace

Outcome<void> spool_check(const Options& options, const SpoolPlace& place) {
  auto folders = SpoolFolders::open(options, place, SpoolFolders::Use::read);
  if (!folders) return std::unexpected(std::move(folders.error()));
  const auto engine = folders->open_engine(spool::CheckpointUse::none);
  if (!engine) return std::unexpected(engine.error());
  const auto found = examine(folders->path(), folders->disks(), **engine);
  if (!found) return std::unexpected(found.error());
  options.json ? print_json(*found) : print_text(*found);
  if (!found->whole()) {
    return failure(ExitStatus::failed, options.json ? "" : "the queue is damaged: " + summary_of(*found));
  }
  if (!options.json) fmt::print("the queue is whole\n");
  return {};
}

}  // namespace sternpost::tool

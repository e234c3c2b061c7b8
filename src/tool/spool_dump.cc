#include <fmt/format.h>

#include "base/printable.h"
#include "tool/log_entry_text.h"
#include "tool/spool_commands.h"

namespace sternpost::tool {

Outcome<void> spool_dump(const Options& options, const SpoolPlace& place, const std::string& id) {
  const auto chosen = id.empty() ? QueueId{} : parse_queue_id(id);
  if (!chosen) return failure(ExitStatus::usage, fmt::format("{} is not a queue id", printable(id)));
  const auto folders = SpoolFolders::open(options, place, SpoolFolders::Use::read);
  if (!folders) return std::unexpected(folders.error());
  std::string out;
  JsonWriter writer(out);
  if (options.json) writer.begin_array();
  const auto walked = spool::walk_log(folders->disks(), [&](const spool::LogEntry& entry) {
    // Damage may have been anybody's.
    const bool may_be = entry.record == nullptr && entry.id == QueueId{};
    if (*chosen != QueueId{} && !may_be && !is_about(entry, *chosen)) return;
    if (options.json) {
      append_log_entry_json(writer, entry);
    } else {
      out = log_entry_text(entry);
    }
    fmt::print("{}", out);
    out.clear();
  });
  if (options.json) {
    writer.end_array();
    fmt::print("{}\n", out);
  }
  if (!walked) return failure(ExitStatus::failed, folders->path() + ": " + walked.error().text);
  return {};
}

}  // namespace sternpost::tool

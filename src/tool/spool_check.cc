#include <fmt/format.h>

#include "base/printable.h"
#include "runtime/json_text.h"
#include "tool/spool_commands.h"

namespace sternpost::tool {
namespace {

constexpr std::size_t kPage = 1'000;

struct Unreadable {
  QueueId id;
  std::string why;
};

/// Holds each live message against its checksums, one at a time.
std::vector<Unreadable> read_messages(spool::Engine& engine) {
  std::vector<Unreadable> unreadable;
  for (std::uint64_t position = 0;;) {
    const auto page = engine.messages_after(position, kPage);
    if (page.empty()) return unreadable;
    for (const auto& [at, id] : page) {
      position = at;
      const auto envelope = engine.read_envelope(id);
      const auto content = engine.read_content(id);
      if (envelope && content) continue;
      unreadable.push_back({id, envelope ? content.error().text : envelope.error().text});
    }
  }
}

void print_text(const std::string& path, const spool::RecoveryReport& report,
                const std::vector<Unreadable>& unreadable) {
  fmt::print("{}: {} segments with records, {} spare\n", path, report.segments, report.spares);
  fmt::print("groups: {}, records: {}\n", report.groups, report.records);
  fmt::print("messages: {} in the queue, {} finished\n", report.live, report.finished);
  if (report.torn_tails > 0) {
    fmt::print("torn tails: {}, as a crash leaves them; nothing in them was acknowledged\n",
               report.torn_tails);
  }
  for (const auto& damage : report.quarantined) {
    const auto whose = damage.id == QueueId{} ? "" : ", of message " + to_string(damage.id);
    fmt::print("damaged: {} at {}, {} octets{}: {}\n", damage.file, damage.offset, damage.length, whose,
               printable(damage.why));
  }
  for (const auto& one : unreadable) {
    fmt::print("unreadable: message {}: {}\n", to_string(one.id), printable(one.why));
  }
}

void print_json(const std::string& path, const spool::RecoveryReport& report,
                const std::vector<Unreadable>& unreadable) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().member("directory", path);
  writer.member("whole", report.quarantined.empty() && unreadable.empty());
  writer.member("segments", report.segments).member("spares", report.spares);
  writer.member("groups", report.groups).member("records", report.records);
  writer.member("messages", report.live).member("finished", report.finished);
  writer.member("torn_tails", report.torn_tails).key("damaged").begin_array();
  for (const auto& damage : report.quarantined) {
    writer.begin_object().member("file", damage.file).member("offset", damage.offset);
    writer.member("octets", damage.length);
    if (damage.id != QueueId{}) writer.member("id", to_string(damage.id));
    writer.member("why", damage.why).end_object();
  }
  writer.end_array().key("unreadable").begin_array();
  for (const auto& one : unreadable) {
    writer.begin_object().member("id", to_string(one.id)).member("why", one.why).end_object();
  }
  writer.end_array().end_object();
  fmt::print("{}\n", out);
}

}  // namespace

Outcome<void> spool_check(const Options& options, const SpoolPlace& place) {
  auto folders = SpoolFolders::open(options, place, SpoolFolders::Use::read);
  if (!folders) return std::unexpected(std::move(folders.error()));
  const auto engine = folders->open_engine();
  if (!engine) return std::unexpected(engine.error());
  const auto& report = (*engine)->recovery();
  const auto unreadable = read_messages(**engine);
  options.json ? print_json(folders->path(), report, unreadable)
               : print_text(folders->path(), report, unreadable);
  if (report.quarantined.empty() && unreadable.empty()) {
    if (!options.json) fmt::print("the queue is whole\n");
    return {};
  }
  return failure(ExitStatus::failed,
                 options.json ? ""
                              : fmt::format("the queue is damaged: {} places, {} messages cannot be read",
                                            report.quarantined.size(), unreadable.size()));
}

}  // namespace sternpost::tool

#include <fmt/format.h>

#include "base/printable.h"
#include "runtime/json_text.h"
#include "tool/lost_messages.h"
#include "tool/spool_commands.h"

namespace sternpost::tool {
namespace {

constexpr std::size_t kPage = 1'000;
constexpr std::size_t kLongest = 1'024;  // of an address

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

/// All that the command finds.
struct Findings {
  std::string path;
  spool::RecoveryReport report;
  std::vector<Unreadable> unreadable;
  std::vector<LostMessage> lost;

  [[nodiscard]] bool whole() const { return report.quarantined.empty() && unreadable.empty(); }
};

std::string lost_text(const LostMessage& lost) {
  auto text = fmt::format("lost: message {}", to_string(lost.id));
  if (!lost.envelope) return text + ", of which nothing else can be read\n";
  text += ", from " + printable(mail::to_path(lost.envelope->reverse_path), kLongest);
  for (const auto& to : lost.envelope->recipients)
    text += fmt::format(", to <{}>", printable(to.to_wire(), kLongest));
  return text + fmt::format(", arrived {}\n", to_rfc3339(lost.envelope->arrival));
}

void append_lost_json(JsonWriter& writer, const LostMessage& lost) {
  writer.begin_object().member("id", to_string(lost.id));
  if (lost.envelope) {
    writer.member("sender", mail::to_path(lost.envelope->reverse_path));
    writer.member("arrived", to_rfc3339(lost.envelope->arrival)).key("recipients").begin_array();
    for (const auto& to : lost.envelope->recipients) writer.value(to.to_wire());
    writer.end_array();
  }
  writer.end_object();
}

void print_text(const Findings& found) {
  const auto& report = found.report;
  fmt::print("{}: {} segments with records, {} spare\n", found.path, report.segments, report.spares);
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
  for (const auto& one : found.unreadable) {
    fmt::print("unreadable: message {}: {}\n", to_string(one.id), printable(one.why));
  }
  for (const auto& one : found.lost) fmt::print("{}", lost_text(one));
}

void print_json(const Findings& found) {
  const auto& report = found.report;
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().member("directory", found.path);
  writer.member("whole", found.whole());
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
  for (const auto& one : found.unreadable) {
    writer.begin_object().member("id", to_string(one.id)).member("why", one.why).end_object();
  }
  writer.end_array().key("lost").begin_array();
  for (const auto& one : found.lost) append_lost_json(writer, one);
  writer.end_array().end_object();
  fmt::print("{}\n", out);
}

}  // namespace

Outcome<void> spool_check(const Options& options, const SpoolPlace& place) {
  auto folders = SpoolFolders::open(options, place, SpoolFolders::Use::read);
  if (!folders) return std::unexpected(std::move(folders.error()));
  const auto engine = folders->open_engine(spool::CheckpointUse::none);
  if (!engine) return std::unexpected(engine.error());
  auto lost = find_lost(folders->disks(), **engine);
  if (!lost) return std::unexpected(std::move(lost.error()));
  const Findings found{folders->path(), (*engine)->recovery(), read_messages(**engine), std::move(*lost)};
  options.json ? print_json(found) : print_text(found);
  if (!found.whole()) {
    return failure(
        ExitStatus::failed,
        options.json
            ? ""
            : fmt::format("the queue is damaged: places: {}, messages lost: {}, messages that "
                          "cannot be read: {}",
                          found.report.quarantined.size(), found.lost.size(), found.unreadable.size()));
  }
  if (!options.json) fmt::print("the queue is whole\n");
  return {};
}

}  // namespace sternpost::tool

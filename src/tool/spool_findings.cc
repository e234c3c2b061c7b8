#include "tool/spool_findings.h"

#include <fmt/format.h>

#include "base/printable.h"

namespace sternpost::tool {
namespace {

constexpr std::size_t kPage = 1'000;
constexpr std::size_t kLongest = 1'024;  // of an address

/// Holds each live message against its checksums, one at a time.
Outcome<std::vector<UnreadableMessage>> read_messages(spool::Engine& engine) {
  std::vector<UnreadableMessage> unreadable;
  for (std::uint64_t position = 0;;) {
    const auto page = engine.messages_after(position, kPage);
    if (page.empty()) return unreadable;
    for (const auto& [at, id] : page) {
      position = at;
      const auto envelope = spool::read_patiently([&] { return engine.read_envelope(id); });
      const auto content = read_through(engine, id);
      if (envelope && content) continue;
      const auto& why = envelope ? content.error() : envelope.error();
      if (!is_damage(why))
        return failure(ExitStatus::failed, "cannot read message " + to_string(id) + ": " + why.text);
      unreadable.push_back({{id, envelope ? std::optional(*envelope) : std::nullopt}, why.text});
    }
  }
}

std::string text_of(const LostMessage& lost) {
  auto text = "message " + to_string(lost.id);
  if (!lost.envelope) return text + ", of which nothing else can be read";
  text += ", from " + printable(mail::to_path(lost.envelope->reverse_path), kLongest);
  for (const auto& to : lost.envelope->recipients)
    text += fmt::format(", to <{}>", printable(to.to_wire(), kLongest));
  return text + fmt::format(", arrived {}", to_rfc3339(lost.envelope->arrival));
}

/// The members of an object.
void append_json(JsonWriter& writer, const LostMessage& lost) {
  writer.member("id", to_string(lost.id));
  if (!lost.envelope) return;
  writer.member("sender", mail::to_path(lost.envelope->reverse_path));
  writer.member("arrived", to_rfc3339(lost.envelope->arrival)).key("recipients").begin_array();
  for (const auto& to : lost.envelope->recipients) writer.value(to.to_wire());
  writer.end_array();
}

}  // namespace

Result<void> read_through(spool::Engine& engine, QueueId id) {
  return spool::read_patiently(
      [&] { return engine.read_content(id, [](std::string_view) { return Result<void>(); }); });
}

bool is_damage(const Error& error) {
  return error.what_to_do == ErrorClass::permanent || spool::is_unreadable(error);
}

Outcome<Findings> examine(std::string path, const spool::Disks& disks, spool::Engine& engine) {
  auto lost = find_lost(disks, engine);
  if (!lost) return std::unexpected(std::move(lost.error()));
  auto unreadable = read_messages(engine);
  if (!unreadable) return std::unexpected(std::move(unreadable.error()));
  return Findings{std::move(path), engine.recovery(), std::move(*unreadable), std::move(*lost)};
}

std::string summary_of(const Findings& found) {
  return fmt::format("places: {}, messages lost: {}, messages that cannot be read: {}",
                     found.report.quarantined.size(), found.lost.size(), found.unreadable.size());
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
  if (!report.orphans.empty()) {
    fmt::print("content files without a message: {}, as a crash leaves them; the next start removes them\n",
               report.orphans.size());
  }
  for (const auto& damage : report.quarantined) {
    const auto whose = damage.id == QueueId{} ? "" : ", of message " + to_string(damage.id);
    fmt::print("damaged: {} at {}, {} octets{}: {}\n", damage.file, damage.offset, damage.length, whose,
               printable(damage.why));
  }
  for (const auto& one : found.unreadable) {
    fmt::print("unreadable: {}: {}\n", text_of(one.message), printable(one.why));
  }
  for (const auto& one : found.lost) fmt::print("lost: {}\n", text_of(one));
}

void append_json(JsonWriter& writer, const Findings& found) {
  const auto& report = found.report;
  writer.member("directory", found.path);
  writer.member("whole", found.whole());
  writer.member("segments", report.segments).member("spares", report.spares);
  writer.member("groups", report.groups).member("records", report.records);
  writer.member("messages", report.live).member("finished", report.finished);
  writer.member("torn_tails", report.torn_tails);
  writer.member("content_files_without_message", std::uint64_t{report.orphans.size()})
      .key("damaged")
      .begin_array();
  for (const auto& damage : report.quarantined) {
    writer.begin_object().member("file", damage.file).member("offset", damage.offset);
    writer.member("octets", damage.length);
    if (damage.id != QueueId{}) writer.member("id", to_string(damage.id));
    writer.member("why", damage.why).end_object();
  }
  writer.end_array().key("unreadable").begin_array();
  for (const auto& one : found.unreadable) {
    append_json(writer.begin_object(), one.message);
    writer.member("why", one.why).end_object();
  }
  writer.end_array().key("lost").begin_array();
  for (const auto& one : found.lost) {
    append_json(writer.begin_object(), one);
    writer.end_object();
  }
  writer.end_array();
}

}  // namespace sternpost::tool

#include "tool/why.h"

#include <fmt/format.h>

#include <map>

#include "base/printable.h"
#include "runtime/json_text.h"
#include "runtime/record_text.h"
#include "tool/configuration.h"
#include "tool/history.h"
#include "tool/queue_commands.h"
#include "tool/story.h"

namespace sternpost::tool {
namespace {

using Entries = std::map<QueueId, spool_admin::Entry>;

/// What the running instance has in its queue of these; nothing where none runs.
Entries ask_entries(const Options& options, const Story& story) {
  Entries entries;
  for (const auto id : story.messages()) {
    auto entry = ask_entry(options, id);
    if (!entry) break;
    if (*entry) entries.emplace(id, std::move(**entry));
  }
  return entries;
}

void print_text(const Story& story, const Entries& entries) {
  for (const auto id : story.messages()) {
    fmt::print("message {}\n", to_string(id));
    const auto& records = story.records_of(id);
    for (const auto& record : records) fmt::print("{}", story_line(record, records.front().at));
    if (const auto entry = entries.find(id); entry != entries.end()) {
      fmt::print("  now in the queue:\n{}", entry_text(entry->second));
    }
  }
  if (story.others().empty()) return;
  fmt::print("without a message\n");
  for (const auto& record : story.others()) fmt::print("{}", story_line(record, story.others().front().at));
}

void append_record(JsonWriter& writer, const Record& record) {
  std::string line;
  append_json_line(line, record);
  line.pop_back();
  writer.json(line);
}

void print_json(const Story& story, const Entries& entries) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().key("messages").begin_array();
  for (const auto id : story.messages()) {
    writer.begin_object().member("id", to_string(id)).key("records").begin_array();
    for (const auto& record : story.records_of(id)) append_record(writer, record);
    writer.end_array();
    if (const auto entry = entries.find(id); entry != entries.end()) {
      writer.key("queue");
      append_entry_json(writer, entry->second);
    }
    writer.end_object();
  }
  writer.end_array().key("others").begin_array();
  for (const auto& record : story.others()) append_record(writer, record);
  writer.end_array().end_object();
  fmt::print("{}\n", out);
}

}  // namespace

Outcome<void> why(const Options& options, const std::string& subject, std::size_t most) {
  const auto parsed = parse_subject(subject);
  if (!parsed) {
    return failure(
        ExitStatus::usage,
        fmt::format("{} is neither a queue id, an address nor a client's IP address", printable(subject)));
  }
  const auto state = find_state_directory(options);
  if (!state) return std::unexpected(state.error());
  const auto history = History::open(*state);
  if (!history) return std::unexpected(history.error());
  Story story(*parsed, most);
  for (const auto pass : {&Story::find, &Story::gather}) {
    const auto read = history->for_each_line([&](const std::string& line) { (story.*pass)(line); });
    if (!read) return read;
  }
  if (story.empty()) {
    return failure(ExitStatus::failed, fmt::format("the history has nothing about {}", printable(subject)));
  }
  const auto entries = ask_entries(options, story);
  options.json ? print_json(story, entries) : print_text(story, entries);
  return {};
}

}  // namespace sternpost::tool

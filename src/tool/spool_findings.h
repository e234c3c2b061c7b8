// What is damaged in a queue on disk, and what is lost by that: for people, and for programs.
#pragma once

#include <string>
#include <vector>

#include "base/queue_id.h"
#include "runtime/json_text.h"
#include "spool/engine.h"
#include "tool/failure.h"
#include "tool/lost_messages.h"

namespace sternpost::tool {

/// It is in the queue, and its envelope or content is damaged.
struct UnreadableMessage {
  LostMessage message;
  std::string why;
};

struct Findings {
  std::string path;  ///< of the queue's folder
  spool::RecoveryReport report;
  std::vector<UnreadableMessage> unreadable;
  std::vector<LostMessage> lost;

  [[nodiscard]] bool whole() const { return report.quarantined.empty() && unreadable.empty(); }
};

/// Bytes that are not what was written, or that the disk does not give back; else it is worth another try.
bool is_damage(const Error& error);

/// Reads all content of a message, for what comes of that.
Result<void> read_through(spool::Engine& engine, QueueId id);

/// Reads every message of an engine that was opened on `disks` without a checkpoint.
Outcome<Findings> examine(std::string path, const spool::Disks& disks, spool::Engine& engine);

/// "places: 2, messages lost: 1, messages that cannot be read: 0"
std::string summary_of(const Findings& found);

/// A line for each.
void print_text(const Findings& found);
/// As members of the object that `writer` is in.
void append_json(JsonWriter& writer, const Findings& found);

}  // namespace sternpost::tool

// What a record of the queue's log says, for people and programs.
#pragma once

#include <string>

#include "base/queue_id.h"
#include "runtime/json_text.h"
#include "spool/log_walk.h"

namespace sternpost::tool {

/// One line with its LF: place, group, type, id and what it says, without content.
std::string log_entry_text(const spool::LogEntry& entry);
/// The same as an object.
void append_log_entry_json(JsonWriter& writer, const spool::LogEntry& entry);

/// Whether it is about this message: of it, settling it, or listing it among the dead.
bool is_about(const spool::LogEntry& entry, QueueId id);

}  // namespace sternpost::tool

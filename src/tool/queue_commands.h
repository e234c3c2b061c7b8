// `sternpost queue`: the messages in the queue of a running instance.
#pragma once

#include <string>
#include <vector>

#include "base/queue_id.h"
#include "runtime/json_text.h"
#include "service/spool/admin_protocol.h"
#include "tool/failure.h"
#include "tool/options.h"

namespace sternpost::tool {

Outcome<void> queue_list(const Options& options);
Outcome<void> queue_show(const Options& options, const std::string& id);
/// Holds, releases or deletes; every id is tried, and every refusal is in the answer, a line for each.
Outcome<void> queue_act(const Options& options, const std::vector<std::string>& ids,
                        spool_admin::Action action);
/// Releases all messages that are held when it is called. One that is gone meanwhile is a refusal.
Outcome<void> queue_release_held(const Options& options);

/// The entry of one message in the running instance's queue; none where it is finished or unknown.
Outcome<std::optional<spool_admin::Entry>> ask_entry(const Options& options, QueueId id);

/// Makes due at once what waits for its time: of these messages, sites, hosts or recipient domains, or of
/// all. A name that nothing waits under is a refusal, after the others are carried out.
Outcome<void> queue_flush(const Options& options, const std::vector<std::string>& names);

std::string queue_header();
/// One line for the message, one for where it came from, and one for each of its recipients.
std::string entry_text(const spool_admin::Entry& entry);
void append_entry_json(JsonWriter& writer, const spool_admin::Entry& entry);

}  // namespace sternpost::tool

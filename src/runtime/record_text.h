// Records as text: the line of mail.log for people, the line of history.jsonl for programs, and the way back.
// Whoever shows a record uses these, so that no two readers ever disagree.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "runtime/record.h"

namespace sternpost {

/// The most octets of a line of the history; longer ones are not read back.
inline constexpr std::size_t kMaxRecordLine = 1024 * 1024;

/// Appends one line with its LF:
///   2026-11-21T08:13:32.123456Z smtpd accepted id=000b from=<a@example.org> client=192.0.2.1:40312
///   bytes=4096 rule=domains(sternpost.toml:3): 250 2.0.0 accepted
/// What is not printable ASCII is escaped, and a value with spaces or quotes stands in quotes.
void append_log_line(std::string& out, const Record& record);

/// Appends one JSON object and LF. Empty fields are left out. `facts` is an object: the second fact of one
/// name stands under that name and "_2", the third under "_3", so that none is lost and no key is given
/// twice.
void append_json_line(std::string& out, const Record& record);

/// The record of a line that append_json_line wrote, with or without its LF; nothing for any other text.
std::optional<Record> parse_json_line(std::string_view line);

/// The inverse of to_rfc3339; nothing for other text.
std::optional<WallTime> parse_rfc3339(std::string_view text);

/// "domains (sternpost.toml:3)", or the name alone where there is no file.
std::string to_string(const Rule& rule);

}  // namespace sternpost

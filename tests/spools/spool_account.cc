#include "spool_account.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "base/checksum.h"
#include "runtime/json_text.h"
#include "spool/log_walk.h"
#include "spool/scan.h"

namespace sternpost::spool {
namespace {

std::vector<QueueId> live_ids(const Engine& engine) {
  std::vector<QueueId> ids;
  for (const auto& [position, id] : engine.messages_after(0, std::numeric_limits<std::size_t>::max())) {
    ids.push_back(id);
  }
  std::ranges::sort(ids);
  return ids;
}

std::string_view state_name(const MessageState& state, std::uint32_t recipient) {
  if (state.is_owing(recipient)) return "owing";
  if (!state.is_open(recipient)) return "settled";
  return state.find(recipient) == nullptr ? "queued" : "deferred";
}

void append_recipient(JsonWriter& json, const mail::Mailbox& address, const MessageState& state,
                      std::uint32_t at) {
  json.begin_object().member("address", address.to_wire()).member("state", state_name(state, at));
  if (const auto* attempted = state.find(at)) {
    const auto& last = attempted->last;
    json.member("attempts", attempted->attempts);
    json.member("attempted", to_rfc3339(last.attempted));
    json.member("reply", mail::to_string(last.reply));
    json.member("remote", last.remote);
  }
  json.end_object();
}

Result<std::string> line_of(Engine& engine, QueueId id) {
  auto message = engine.find(id);
  if (auto read = engine.read_texts(*message); !read) return fail_with(std::move(read));
  const auto envelope = engine.read_envelope(id);
  if (!envelope) return fail_with(Result<mail::Envelope>(envelope));
  const auto content = engine.read_content(id);
  if (!content) return fail_with(Result<std::string>(content));
  const auto& state = message->state;
  std::string line;
  JsonWriter json(line);
  json.begin_object().member("id", to_string(id)).member("from", mail::to_path(envelope->reverse_path));
  json.member("arrived", to_rfc3339(envelope->arrival)).member("eight_bit", envelope->eight_bit);
  const auto& origin = envelope->origin;
  json.member("protocol", origin.protocol).member("client", origin.client);
  json.member("helo", origin.helo).member("session", origin.session);
  json.member("held", state.held).member("warned", state.warned);
  json.member("octets", std::uint64_t{content->size()});
  json.member("xxh3", fmt::format("{:016x}", checksum(*content, 0))).key("recipients").begin_array();
  for (std::uint32_t i = 0; i < envelope->recipients.size(); ++i) {
    append_recipient(json, envelope->recipients[i], state, i);
  }
  json.end_array().end_object();
  return line;
}

void add_kinds(std::set<std::string>& kinds, const RecordView& record) {
  switch (record.header.type) {
    case RecordType::message:
      kinds.insert("message");
      if (const auto head = decode<MessageHead>(record.head); head && head->kind == ContentKind::file) {
        kinds.insert("content file");
      }
      if (const auto settles = settles_of(record.head)) {
        kinds.insert(settles->finishes           ? "notice that finishes"
                     : settles->settlement.warns ? "notice that warns"
                                                 : "notice that settles");
      }
      break;
    case RecordType::envelope:
      kinds.insert("envelope");
      break;
    case RecordType::outcome:
      if (const auto head = decode<OutcomeHead>(record.head)) {
        kinds.insert(head->finishes ? "outcome that finishes" : "outcome");
      }
      break;
    case RecordType::dead_list:
      kinds.insert("dead list");
      break;
    case RecordType::mark:
      if (const auto mark = decode<Mark>(record.head)) {
        kinds.insert(mark->kind == MarkKind::hold ? "hold" : "release");
      }
      break;
  }
}

bool has_closing_mark(const FoundSegment& segment) {
  if (!segment.header || segment.header->role == SegmentRole::spare) return false;
  std::string bytes(segment.file_bytes, '\0');
  return segment.file->read(0, bytes) && scan_segment(bytes, *segment.header, EndKnowledge::sealed).sealed;
}

void add_kinds(std::set<std::string>& kinds, const MessageState& state) {
  if (state.held) kinds.insert("held");
  if (state.warned) kinds.insert("warned");
  for (std::uint32_t i = 0; i < state.recipients(); ++i) kinds.emplace(state_name(state, i));
}

}  // namespace

Result<std::string> account_of(Engine& engine) {
  std::string account;
  for (const auto id : live_ids(engine)) {
    auto line = line_of(engine, id);
    if (!line) return fail_with(std::move(line), to_string(id));
    account += *line + "\n";
  }
  return account;
}

Result<std::set<std::string>> kinds_in(const Disks& disks, Engine& engine) {
  std::set<std::string> kinds;
  auto segments = find_segments(disks);
  if (!segments) return fail_with(std::move(segments));
  if (std::ranges::any_of(*segments, has_closing_mark)) kinds.insert("closing mark");
  auto walked = walk_log(disks, [&](const LogEntry& entry) {
    if (entry.record != nullptr) add_kinds(kinds, *entry.record);
    if (entry.record != nullptr && entry.role == SegmentRole::deferred) kinds.insert("deferred log");
  });
  if (!walked) return fail_with(std::move(walked));
  for (const auto id : live_ids(engine)) add_kinds(kinds, engine.find(id)->state);
  if (engine.recovery().from_checkpoint) kinds.insert("checkpoint");
  if (engine.recovery().finished > 0) kinds.insert("finished");
  if (!engine.recovery().orphans.empty()) kinds.insert("content file without a message");
  if (engine.recovery().torn_tails > 0) kinds.insert("torn tail");
  return kinds;
}

std::set<std::string> kinds_of(unsigned version) {
  struct Kind {
    const char* name;
    unsigned since;  ///< version
  };
  constexpr std::array kKinds{Kind{"content file", 3},
                              Kind{"content file without a message", 3},
                              Kind{"checkpoint", 2},
                              Kind{"closing mark", 2},
                              Kind{"dead list", 2},
                              Kind{"deferred log", 2},
                              Kind{"deferred", 2},
                              Kind{"envelope", 2},
                              Kind{"finished", 2},
                              Kind{"held", 2},
                              Kind{"hold", 2},
                              Kind{"message", 2},
                              Kind{"notice that finishes", 2},
                              Kind{"notice that settles", 2},
                              Kind{"notice that warns", 2},
                              Kind{"outcome that finishes", 2},
                              Kind{"outcome", 2},
                              Kind{"owing", 2},
                              Kind{"queued", 2},
                              Kind{"release", 2},
                              Kind{"settled", 2},
                              Kind{"torn tail", 2},
                              Kind{"warned", 2}};
  std::set<std::string> kinds;
  for (const auto& kind : kKinds) {
    if (kind.since <= version) kinds.insert(kind.name);
  }
  return kinds;
}

unsigned version_written() {
  constexpr std::size_t kMagicBytes = 8;
  const auto block = encode_segment_header({.previous = {}});
  unsigned version = 0;
  return Decoder(std::string_view(block).substr(kMagicBytes)).get(version) ? version : 0;
}

}  // namespace sternpost::spool

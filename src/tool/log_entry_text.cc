#include "tool/log_entry_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/printable.h"
#include "mail/envelope.h"
#include "spool/content_file.h"

namespace sternpost::tool {
namespace {

using spool::RecordType;

constexpr std::size_t kLongest = 4'096;  // of one text

std::string_view type_name(RecordType type) {
  constexpr std::array<std::string_view, kEnumBound<RecordType>> kNames = {"message", "envelope", "outcome",
                                                                           "dead_list", "mark"};
  return kNames[static_cast<unsigned>(type)];
}

std::string_view disposition_name(mail::Disposition disposition) {
  constexpr std::array<std::string_view, kEnumBound<mail::Disposition>> kNames = {
      "delivered", "failed", "deferred", "deleted", "bounced"};
  return kNames[static_cast<unsigned>(disposition)];
}

/// The words of a line, with ", " between.
class Words {
 public:
  explicit Words(std::string& out) : out_(out) {}
  void add(std::string_view word) {
    if (!first_) out_ += ", ";
    first_ = false;
    out_ += word;
  }

 private:
  std::string& out_;
  bool first_ = true;
};

void add_outcome(Words& words, const mail::RecipientOutcome& outcome) {
  auto text = fmt::format("recipient {} {} {}", outcome.recipient, disposition_name(outcome.disposition),
                          to_rfc3339(outcome.attempted));
  if (outcome.reply.code != 0) text += ": " + printable(to_string(outcome.reply), kLongest);
  if (!outcome.remote.empty()) text += fmt::format(" (said by {})", printable(outcome.remote, kLongest));
  words.add(text);
}

void add_envelope(Words& words, const std::string& encoded) {
  const auto envelope = decode<mail::Envelope>(encoded);
  if (!envelope) return words.add("an envelope that is malformed");
  words.add("from " + printable(mail::to_path(envelope->reverse_path), kLongest));
  for (const auto& recipient : envelope->recipients) {
    words.add(fmt::format("to <{}>", printable(recipient.to_wire(), kLongest)));
  }
  words.add("arrived " + to_rfc3339(envelope->arrival));
  if (!envelope->origin.client.empty()) words.add("client " + printable(envelope->origin.client, kLongest));
  if (!envelope->origin.session.empty()) words.add("session " + printable(envelope->origin.session));
  if (envelope->eight_bit) words.add("8 bit");
}

void add_state(Words& words, const spool::FullState& state) {
  if (state.held) words.add("held");
  if (state.warned) words.add("warned");
  add_envelope(words, state.envelope);
  for (const auto& one : state.attempted) {
    words.add(fmt::format("recipient {} tried {} times", one.last.recipient, one.attempts));
    add_outcome(words, one.last);
  }
}

void add_settles(Words& words, const spool::Settles& settles) {
  words.add("tells of " + to_string(settles.settlement.id));
  for (const auto recipient : settles.settlement.recipients)
    words.add(fmt::format("recipient {}", recipient));
  if (settles.settlement.warns) words.add("late");
  if (settles.finishes) words.add("finishes " + to_string(settles.settlement.id));
}

void add_outcomes(Words& words, const spool::OutcomeHead& head) {
  for (const auto& outcome : head.outcomes) add_outcome(words, outcome);
  if (head.finishes) words.add("finishes");
}

void add_mark(Words& words, const spool::Mark& mark) {
  constexpr std::array<std::string_view, kEnumBound<spool::MarkKind>> kNames = {"hold", "release", "closed"};
  words.add(kNames[static_cast<unsigned>(mark.kind)]);
}

void add_content(Words& words, spool::ContentKind kind, std::string_view content) {
  if (kind == spool::ContentKind::inline_bytes) return words.add(fmt::format("{} octets", content.size()));
  const auto file = decode<spool::ContentFile>(content);
  words.add(file ? fmt::format("{} octets in a file of their own", file->bytes)
                 : "a content file that is not named");
}

/// What the record says; false where its meaning is malformed.
bool describe(Words& words, const spool::RecordView& record) {
  switch (record.header.type) {
    case RecordType::message: {
      const auto head = decode<spool::MessageHead>(record.head);
      if (!head) return false;
      add_content(words, head->kind, record.content);
      add_state(words, head->state);
      if (head->settles) add_settles(words, *head->settles);
      return true;
    }
    case RecordType::envelope: {
      const auto state = decode<spool::FullState>(record.head);
      if (state) add_state(words, *state);
      return state.has_value();
    }
    case RecordType::outcome: {
      const auto head = decode<spool::OutcomeHead>(record.head);
      if (head) add_outcomes(words, *head);
      return head.has_value();
    }
    case RecordType::dead_list: {
      const auto list = decode<spool::DeadList>(record.head);
      if (!list) return false;
      words.add(fmt::format("finished although they are in {} of generation {}",
                            spool::segment_name(list->slot), list->generation));
      for (const auto id : list->ids) words.add(to_string(id));
      return true;
    }
    case RecordType::mark: {
      const auto mark = decode<spool::Mark>(record.head);
      if (mark) add_mark(words, *mark);
      return mark.has_value();
    }
  }
  return false;
}

std::string what_it_says(const spool::LogEntry& entry) {
  if (entry.record == nullptr) return fmt::format("{} octets: {}", entry.length, printable(entry.why));
  std::string text;
  Words words(text);
  if (!describe(words, *entry.record)) return "a head that is malformed";
  return text;
}

std::string_view type_of(const spool::LogEntry& entry) {
  return entry.record == nullptr ? "damaged" : type_name(entry.record->header.type);
}

std::string id_of(const spool::LogEntry& entry) {
  return entry.id == QueueId{} ? "" : to_string(entry.id);
}

}  // namespace

std::string log_entry_text(const spool::LogEntry& entry) {
  const auto id = id_of(entry);
  return fmt::format("{}:{:<10} {:>8} {:<9} {:<6} {}\n", entry.file, entry.offset,
                     entry.group ? std::to_string(*entry.group) : "-", type_of(entry), id.empty() ? "-" : id,
                     what_it_says(entry));
}

void append_log_entry_json(JsonWriter& writer, const spool::LogEntry& entry) {
  writer.begin_object().member("file", entry.file).member("offset", entry.offset);
  writer.member("octets", entry.length);
  if (entry.role) {
    writer.member("log", *entry.role == spool::SegmentRole::deferred ? "deferred" : "incoming");
  }
  if (entry.group) writer.member("group", *entry.group);
  if (entry.written) writer.member("written", to_rfc3339(*entry.written));
  writer.member("type", type_of(entry));
  if (const auto id = id_of(entry); !id.empty()) writer.member("id", id);
  writer.member("says", what_it_says(entry)).end_object();
}

bool is_about(const spool::LogEntry& entry, QueueId id) {
  if (entry.id == id) return true;
  if (entry.record == nullptr) return false;
  if (entry.record->header.type == RecordType::message) {
    const auto settles = spool::settles_of(entry.record->head);
    return settles && settles->settlement.id == id;
  }
  if (entry.record->header.type != RecordType::dead_list) return false;
  const auto list = decode<spool::DeadList>(entry.record->head);
  return list && std::ranges::find(list->ids, id) != list->ids.end();
}

}  // namespace sternpost::tool

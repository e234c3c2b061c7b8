#include "tool/story.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/printable.h"
#include "mail/extension.h"
#include "runtime/json_text.h"
#include "runtime/record_text.h"

namespace sternpost::tool {
namespace {

/// The fact of an accepted message that lists its recipients where there are several.
constexpr std::string_view kRecipientsFact = "to";
/// The fact of an attempt that was no delivery: commands "C: ..." and replies "S: ...", with " | " between.
constexpr std::string_view kDialogueFact = "dialogue";

std::string_view without_brackets(std::string_view path) {
  if (path.size() >= 2 && path.front() == '<' && path.back() == '>') return path.substr(1, path.size() - 2);
  return path;
}

bool is_ip(std::string_view text) {
  const std::string terminated(text);
  std::array<unsigned char, 16> octets{};
  return ::inet_pton(AF_INET, terminated.c_str(), octets.data()) == 1 ||
         ::inet_pton(AF_INET6, terminated.c_str(), octets.data()) == 1;
}

/// The address of "192.0.2.1:25", "[2001:db8::1]:25" or an address alone.
std::string_view without_port(std::string_view client) {
  if (client.starts_with('[')) return client.substr(1, std::min(client.find(']'), client.size()) - 1);
  return std::ranges::count(client, ':') == 1 ? client.substr(0, client.find(':')) : client;
}

/// Whether `address`, in lower case, is one of those in `list`: "a@x.example, b@x.example, and 3 more".
bool is_listed(std::string_view list, std::string_view address) {
  constexpr std::string_view kComma = ", ";
  const auto folded = mail::fold_case(list);
  const std::string_view text = folded;
  for (auto at = text.find(address); at != std::string_view::npos; at = text.find(address, at + 1)) {
    const auto rest = text.substr(at + address.size());
    const bool begins = at == 0 || text.substr(0, at).ends_with(kComma);
    if (begins && (rest.empty() || rest.starts_with(kComma))) return true;
  }
  return false;
}

bool is_to(const Record& record, std::string_view address) {
  if (mail::fold_case(without_brackets(record.recipient)) == address) return true;
  return std::ranges::any_of(record.facts, [&](const Fact& fact) {
    return fact.name == kRecipientsFact && is_listed(fact.value, address);
  });
}

/// A cheap look at a line before it is parsed: the id that it names, as text.
std::string_view id_in(std::string_view line) {
  constexpr std::string_view kKey = "\"id\":\"";
  const auto begin = line.find(kKey);
  if (begin == std::string_view::npos) return {};
  const auto rest = line.substr(begin + kKey.size());
  return rest.substr(0, rest.find('"'));
}

/// Where the first line of the dialogue ends. A reply may have " | " in its text, so that it alone ends none.
std::size_t end_of_line(std::string_view dialogue) {
  return std::min({dialogue.find(" | S: "), dialogue.find(" | C: "), dialogue.find(" | ("), dialogue.size()});
}

void append_dialogue(std::string& out, std::string_view dialogue) {
  constexpr std::size_t kBetween = 3;
  constexpr std::size_t kLongestLine = 1024;
  while (!dialogue.empty()) {
    const auto end = end_of_line(dialogue);
    out += fmt::format("        {}\n", printable(dialogue.substr(0, end), kLongestLine));
    dialogue.remove_prefix(std::min(end + kBetween, dialogue.size()));
  }
}

}  // namespace

std::optional<Subject> parse_subject(std::string_view text) {
  if (text == "<>") return Subject{Subject::Kind::address, ""};
  if (text.find('@') != std::string_view::npos) {
    return Subject{Subject::Kind::address, mail::fold_case(without_brackets(text))};
  }
  if (const auto host = without_port(text); is_ip(host))
    return Subject{Subject::Kind::client, mail::fold_case(host)};
  if (const auto id = parse_queue_id(text); id) {
    return Subject{Subject::Kind::message, to_string(*id)};
  }
  return std::nullopt;
}

bool is_about(const Record& record, const Subject& subject) {
  switch (subject.kind) {
    case Subject::Kind::message:
      return record.id.value != 0 && to_string(record.id) == subject.text;
    case Subject::Kind::address:
      if (subject.text.empty()) return record.sender == "<>";
      return mail::fold_case(without_brackets(record.sender)) == subject.text || is_to(record, subject.text);
    case Subject::Kind::client:
      return !record.client.empty() && mail::fold_case(without_port(record.client)) == subject.text;
  }
  return false;
}

Story::Story(Subject subject, std::size_t most) : subject_(std::move(subject)), most_(most) {
  append_json_string(needle_, subject_.text);
  needle_ = needle_.substr(1, needle_.size() - 2);  // without its quotes: in a line it may stand among others
}

void Story::find(const std::string& line) {
  const bool possible = subject_.kind == Subject::Kind::message
                            ? id_in(line) == subject_.text
                            : ::strcasestr(line.c_str(), needle_.c_str()) != nullptr;
  if (!possible) return;
  auto record = parse_json_line(line);
  if (!record || !is_about(*record, subject_)) return;
  if (record->id.value != 0) return meet(record->id);
  others_.push_back(std::move(*record));
  if (others_.size() > most_) others_.pop_front();
}

void Story::meet(QueueId id) {
  if (!messages_.empty() && messages_.back() == id) return;
  std::erase(messages_, id);
  messages_.push_back(id);
  if (messages_.size() > most_) messages_.pop_front();
}

void Story::gather(const std::string& line) {
  const auto id = parse_queue_id(id_in(line));
  if (!id || std::ranges::find(messages_, *id) == messages_.end()) return;
  auto record = parse_json_line(line);
  if (!record || record->id != *id) return;
  // Compartments write to the history independently: what happened later may stand earlier.
  auto& records = records_[*id];
  const auto later = std::ranges::upper_bound(records, record->at, {}, &Record::at);
  records.insert(later, std::move(*record));
}

const std::vector<Record>& Story::records_of(QueueId id) const {
  static const std::vector<Record> kNone;
  const auto found = records_.find(id);
  return found == records_.end() ? kNone : found->second;
}

std::string story_line(const Record& record, WallTime begin) {
  auto shown = record;
  std::string under;
  std::erase_if(shown.facts, [&](const Fact& fact) {
    if (fact.name != kDialogueFact) return false;
    append_dialogue(under, fact.value);
    return true;
  });
  std::string line;
  append_log_line(line, shown);
  const auto space = std::min(line.find(' '), line.size());
  const auto passed = static_cast<double>((record.at - begin).count()) / 1e6;
  return fmt::format("  {}  {:>+11.6f} s {}{}", line.substr(0, space), passed, line.substr(space), under);
}

}  // namespace sternpost::tool

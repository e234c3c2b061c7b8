#include "runtime/record_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <chrono>
#include <iterator>
#include <limits>
#include <span>

#include "base/printable.h"
#include "runtime/json_text.h"

namespace sternpost {
namespace {

namespace json = boost::json;

/// A value of a log line: bare, or in quotes where it would not be read back as one word.
void append_word(std::string& out, std::string_view text) {
  if (text.find_first_of(" \"") == std::string_view::npos && !text.empty()) {
    append_printable(out, text);
    return;
  }
  out.push_back('"');
  for (std::size_t at = 0; at < text.size();) {
    const auto quote = std::min(text.find('"', at), text.size());
    append_printable(out, text.substr(at, quote - at));
    if (quote < text.size()) out += "\\\"";
    at = quote + 1;
  }
  out.push_back('"');
}

void append_pair(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  out.push_back(' ');
  append_printable(out, name);
  out.push_back('=');
  append_word(out, value);
}

/// An address in angle brackets, whether or not the record has them.
void append_path(std::string& out, std::string_view name, std::string_view path) {
  if (path.empty()) return;
  append_pair(out, name, path.starts_with('<') ? std::string(path) : fmt::format("<{}>", path));
}

void append_rule(std::string& out, const Rule& rule) {
  if (rule.name.empty()) return;
  out += " rule=";
  append_word(out, rule.name);
  if (rule.file.empty()) return;
  out.push_back('(');
  append_word(out, rule.file);
  fmt::format_to(std::back_inserter(out), ":{})", rule.line);
}

/// The fact's name, with a number where an earlier fact has the same: "file", "file_2".
std::string unique_name(const std::vector<Fact>& facts, std::size_t index) {
  const auto& name = facts[index].name;
  const auto earlier = std::ranges::count(std::span(facts).first(index), std::string_view(name), &Fact::name);
  return earlier == 0 ? name : fmt::format("{}_{}", name, earlier + 1);
}

template <class Integer>
bool parse_digits(std::string_view text, Integer& value) {
  const auto* end = text.data() + text.size();
  const bool digits = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  return digits && error == std::errc{} && rest == end;
}

std::optional<Decision> parse_decision(std::string_view name) {
  for (unsigned i = 0; i < kEnumBound<Decision>; ++i) {
    if (to_string(static_cast<Decision>(i)) == name) return static_cast<Decision>(i);
  }
  return std::nullopt;
}

std::optional<std::string_view> as_text(const json::value& value) {
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_string();
  return std::string_view(text.data(), text.size());
}

bool read_text(const json::value& value, std::string& into) {
  const auto text = as_text(value);
  if (text) into = *text;
  return text.has_value();
}

template <class T>
bool read_parsed(const json::value& value, T& into, std::optional<T> (*parse)(std::string_view)) {
  const auto text = as_text(value);
  const auto parsed = text ? parse(*text) : std::nullopt;
  if (parsed) into = *parsed;
  return parsed.has_value();
}

bool read_rule(const json::value& value, Rule& rule) {
  if (!value.is_object()) return false;
  for (const auto& [key, member] : value.get_object()) {
    if (key == "name") {
      if (!read_text(member, rule.name)) return false;
    } else if (key == "file") {
      if (!read_text(member, rule.file)) return false;
    } else if (key == "line") {
      if (!member.is_int64() || member.get_int64() < 0 ||
          member.get_int64() > std::numeric_limits<std::uint32_t>::max()) {
        return false;
      }
      rule.line = static_cast<std::uint32_t>(member.get_int64());
    }
  }
  return true;
}

bool read_facts(const json::value& value, std::vector<Fact>& facts) {
  if (!value.is_object()) return false;
  for (const auto& [key, member] : value.get_object()) {
    Fact fact{std::string(key), ""};
    if (!read_text(member, fact.value)) return false;
    facts.push_back(std::move(fact));
  }
  return true;
}

/// One member of the object; keys of later versions are passed over.
bool read_member(std::string_view key, const json::value& value, Record& record) {
  if (key == "at") return read_parsed(value, record.at, parse_rfc3339);
  if (key == "by") return read_parsed(value, record.by, parse_compartment);
  if (key == "decision") return read_parsed(value, record.decision, parse_decision);
  if (key == "id") return read_parsed(value, record.id, parse_queue_id);
  if (key == "session") return read_text(value, record.session);
  if (key == "client") return read_text(value, record.client);
  if (key == "sender") return read_text(value, record.sender);
  if (key == "recipient") return read_text(value, record.recipient);
  if (key == "rule") return read_rule(value, record.rule);
  if (key == "facts") return read_facts(value, record.facts);
  if (key == "outcome") return read_text(value, record.outcome);
  if (key == "next") return read_parsed(value, record.next.emplace(), parse_rfc3339);
  return true;
}

}  // namespace

std::string to_string(const Rule& rule) {
  return rule.file.empty() ? rule.name : fmt::format("{} ({}:{})", rule.name, rule.file, rule.line);
}

void append_log_line(std::string& out, const Record& record) {
  out += to_rfc3339(record.at);
  out.push_back(' ');
  out += to_string(record.by);
  out.push_back(' ');
  out += to_string(record.decision);
  if (record.id.value != 0) append_pair(out, "id", to_string(record.id));
  append_path(out, "from", record.sender);
  append_path(out, "to", record.recipient);
  append_pair(out, "client", record.client);
  append_pair(out, "session", record.session);
  for (const auto& fact : record.facts) append_pair(out, fact.name, fact.value);
  append_rule(out, record.rule);
  if (record.next) append_pair(out, "next", to_rfc3339(*record.next));
  if (!record.outcome.empty()) {
    out += ": ";
    append_printable(out, record.outcome);
  }
  out.push_back('\n');
}

void append_json_line(std::string& out, const Record& record) {
  JsonWriter writer(out);
  const auto member = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) writer.member(name, value);
  };
  writer.begin_object();
  writer.member("at", to_rfc3339(record.at));
  writer.member("by", to_string(record.by));
  writer.member("decision", to_string(record.decision));
  if (record.id.value != 0) writer.member("id", to_string(record.id));
  member("session", record.session);
  member("client", record.client);
  member("sender", record.sender);
  member("recipient", record.recipient);
  if (record.rule != Rule{}) {
    writer.key("rule").begin_object();
    member("name", record.rule.name);
    member("file", record.rule.file);
    if (record.rule.line != 0) writer.member("line", record.rule.line);
    writer.end_object();
  }
  if (!record.facts.empty()) {
    writer.key("facts").begin_object();
    for (std::size_t i = 0; i < record.facts.size(); ++i) {
      writer.member(unique_name(record.facts, i), record.facts[i].value);
    }
    writer.end_object();
  }
  member("outcome", record.outcome);
  if (record.next) writer.member("next", to_rfc3339(*record.next));
  writer.end_object();
  out.push_back('\n');
}

std::optional<Record> parse_json_line(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.size() > kMaxRecordLine) return std::nullopt;
  boost::system::error_code error;
  const auto value = json::parse(json::string_view(line.data(), line.size()), error);
  if (error || !value.is_object()) return std::nullopt;
  const auto& object = value.get_object();
  if (!object.contains("at") || !object.contains("by") || !object.contains("decision")) return std::nullopt;
  Record record;
  for (const auto& [key, member] : object) {
    if (!read_member(std::string_view(key.data(), key.size()), member, record)) return std::nullopt;
  }
  return record;
}

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  // 2026-11-21T08:13:32.123456Z
  constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:dd.ddddddZ";
  if (text.size() != kShape.size()) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (kShape[i] != 'd' && text[i] != kShape[i]) return std::nullopt;
  }
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  std::int64_t hour = 0;
  std::int64_t minute = 0;
  std::int64_t second = 0;
  std::int64_t micros = 0;
  if (!parse_digits(text.substr(0, 4), year) || !parse_digits(text.substr(5, 2), month) ||
      !parse_digits(text.substr(8, 2), day) || !parse_digits(text.substr(11, 2), hour) ||
      !parse_digits(text.substr(14, 2), minute) || !parse_digits(text.substr(17, 2), second) ||
      !parse_digits(text.substr(20, 6), micros)) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return WallTime{(((days * 24 + hour) * 60 + minute) * 60 + second) * 1'000'000 + micros};
}

}  // namespace sternpost

#include "tool/import_journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace sternpost::tool {
namespace {

constexpr std::string_view kFirstLine = "sternpost-import 1 ";
constexpr std::size_t kMaxName = 128;
constexpr int kHexadecimal = 16;

std::string_view take_line(std::string_view& text) {
  const auto line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

}  // namespace

std::string to_text(const ImportJournal& journal) {
  auto text = fmt::format("{}{:016x}\n", kFirstLine, journal.spool);
  for (const auto& entry : journal.entries) text += fmt::format("{} {}\n", entry.name, to_string(entry.id));
  return text;
}

std::expected<ImportJournal, std::string> parse_import_journal(std::string_view text) {
  ImportJournal journal;
  const auto first = take_line(text);
  if (!first.starts_with(kFirstLine)) return std::unexpected("does not begin as a journal of this version");
  const auto digits = first.substr(kFirstLine.size());
  const auto end = digits.data() + digits.size();
  if (std::from_chars(digits.data(), end, journal.spool, kHexadecimal).ptr != end || digits.empty()) {
    return std::unexpected("names no queue");
  }
  while (!text.empty()) {
    const auto line = take_line(text);
    const auto space = std::min(line.find(' '), line.size());
    const auto id = parse_queue_id(line.substr(std::min(space + 1, line.size())));
    if (!id || !is_import_name(line.substr(0, space))) return std::unexpected("has a malformed line");
    journal.entries.push_back({std::string(line.substr(0, space)), *id});
  }
  return journal;
}

bool is_import_name(std::string_view name) {
  constexpr std::string_view kMarks = ".-_";
  return !name.empty() && name.size() <= kMaxName && name.front() != '.' &&
         std::ranges::all_of(name, [&](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  kMarks.find(c) != std::string_view::npos;
         });
}

}  // namespace sternpost::tool

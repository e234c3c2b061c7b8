#include "mail/header.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"

namespace sternpost::mail {
namespace {

constexpr std::string_view kReceived = "received";

/// The line at `offset` with its line end; the last line may lack one.
std::string_view line_at(std::string_view message, std::size_t offset) {
  const auto rest = message.substr(offset);
  const auto end = rest.find('\n');
  return end == std::string_view::npos ? rest : rest.substr(0, end + 1);
}

std::string_view without_line_end(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// The name of the field that `line` begins, with the white space that old messages have before the colon;
/// empty where the line is no field.
std::string_view raw_field_name(std::string_view line) {
  std::size_t end = 0;
  while (end < line.size() && line[end] > ' ' && line[end] < '\x7f' && line[end] != ':') ++end;
  if (end == 0) return {};
  auto colon = end;
  while (colon < line.size() && is_space(line[colon])) ++colon;
  if (colon == line.size() || line[colon] != ':') return {};
  return line.substr(0, colon);
}

}  // namespace

HeaderReader::HeaderReader(std::string_view message, HeaderBounds bounds)
    : message_(message.substr(0, std::min(message.size(), bounds.max_bytes))),
      bounds_(bounds),
      truncated_(message.size() > bounds.max_bytes) {}

std::optional<HeaderField> HeaderReader::next() {
  if (ended_) return std::nullopt;
  const auto first = line_at(message_, offset_);
  const auto raw_name = raw_field_name(first);
  if (raw_name.empty()) {
    ended_ = true;
    const bool empty_line = !first.empty() && without_line_end(first).empty();
    cut_short_ = truncated_ && !empty_line && offset_ + first.size() == message_.size();
    if (empty_line) offset_ += first.size();
    return std::nullopt;
  }
  if (fields_ == bounds_.max_fields) {
    ended_ = true;
    cut_short_ = true;
    return std::nullopt;
  }
  ++fields_;
  auto end = offset_ + first.size();
  while (end < message_.size() && is_space(message_[end])) end += line_at(message_, end).size();
  const auto field = without_line_end(message_.substr(offset_, end - offset_));
  offset_ = end;
  return HeaderField{trimmed(raw_name), field.substr(raw_name.size() + 1)};
}

bool same_field_name(std::string_view a, std::string_view b) {
  return equals_ignoring_case(a, b);
}

std::string unfold(std::string_view value) {
  std::string out;
  out.reserve(value.size());
  for (const char c : value) {
    if (c != '\r' && c != '\n') out.push_back(c);
  }
  return std::string(trimmed(out));
}

std::vector<std::string> field_values(std::string_view message, std::string_view name) {
  std::vector<std::string> values;
  HeaderReader reader(message);
  while (const auto field = reader.next()) {
    if (same_field_name(field->name, name)) values.push_back(unfold(field->value));
  }
  return values;
}

std::size_t count_received(std::string_view message) {
  HopCounter counter;
  counter.feed(message);
  return counter.hops();
}

void HopCounter::feed(std::string_view content) {
  while (!content.empty() && where_ != Where::body) {
    if (where_ == Where::rest_of_line) {
      const auto end = content.find('\n');
      if (end == std::string_view::npos) return;
      content.remove_prefix(end + 1);
      where_ = Where::line_start;
      continue;
    }
    step(content.front());
    content.remove_prefix(1);
  }
}

void HopCounter::step(char c) {
  if (c == '\n') {
    const bool empty_line = where_ == Where::line_start || where_ == Where::line_start_cr;
    where_ = empty_line ? Where::body : Where::line_start;
    return;
  }
  if (where_ == Where::line_start) {
    if (c == '\r') {
      where_ = Where::line_start_cr;
      return;
    }
    matched_ = 0;
    where_ = Where::name;
  }
  if (where_ == Where::name && matched_ < kReceived.size() && to_lower(c) == kReceived[matched_]) {
    if (++matched_ == kReceived.size()) where_ = Where::after_name;
    return;
  }
  if (where_ == Where::after_name && is_space(c)) return;
  if (where_ == Where::after_name && c == ':') ++hops_;
  where_ = Where::rest_of_line;
}

}  // namespace sternpost::mail

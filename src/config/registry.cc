#include "config/registry.h"

#include <algorithm>
#include <array>

namespace sternpost::config {
namespace {

constexpr std::size_t kLongestWord = 128;

/// Levenshtein distance, with two neighbours changed round as one step: "smpt".
std::size_t edit_distance(std::string_view a, std::string_view b) {
  using Row = std::array<std::size_t, kLongestWord + 1>;
  Row before{}, above{}, row{};
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = above;
    above = row;
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, replaced});
      const bool turned = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (turned) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

}  // namespace

std::vector<Topic> topics() {
  return {general_topic(), smtp_topic(),  mailbox_topic(), routes_topic(), smtp_client_topic(),
          spool_topic(),   queue_topic(), dns_topic(),     log_topic(),    process_topic()};
}

std::vector<const Parameter*> registry() {
  std::vector<const Parameter*> all;
  for (const auto& topic : topics()) {
    for (const auto& parameter : topic.parameters) all.push_back(&parameter);
  }
  return all;
}

const Parameter* find_parameter(std::string_view key) {
  const auto all = registry();
  const auto found = std::ranges::find_if(all, [&](const Parameter* p) { return p->key == key; });
  return found == all.end() ? nullptr : *found;
}

bool is_section(std::string_view prefix) {
  return std::ranges::any_of(registry(), [&](const Parameter* p) {
    return p->key.size() > prefix.size() && p->key.starts_with(prefix) && p->key[prefix.size()] == '.';
  });
}

std::string nearest_word(std::string_view word, std::span<const std::string_view> words) {
  std::string_view best;
  if (word.size() > kLongestWord) return {};
  std::size_t best_distance = std::max<std::size_t>(word.size() / 3, 1) + 1;
  for (const auto candidate : words) {
    if (candidate.size() > kLongestWord) continue;
    const auto distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return std::string(best);
}

std::string nearest_key(std::string_view key) {
  std::vector<std::string_view> keys;
  const auto last = key.substr(key.rfind('.') + 1);
  for (const auto* parameter : registry()) {
    // The right name in the wrong table, or without one: "max_message", "smtp.max_file".
    const auto candidate = parameter->key;
    if (candidate.substr(candidate.rfind('.') + 1) == last) return std::string(candidate);
    keys.push_back(candidate);
  }
  return nearest_word(key, keys);
}

std::string nearest_section(std::string_view name) {
  std::vector<std::string_view> sections;
  for (const auto* parameter : registry()) {
    const auto last = parameter->key.rfind('.');
    if (last != std::string_view::npos) sections.push_back(parameter->key.substr(0, last));
  }
  return nearest_word(name, sections);
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const auto space = text.find(' ');
    const auto word = text.substr(0, space);
    if (!word.empty()) words.push_back(word);
    if (space == std::string_view::npos) break;
    text.remove_prefix(space + 1);
  }
  return words;
}

}  // namespace sternpost::config

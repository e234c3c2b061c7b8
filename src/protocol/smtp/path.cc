#include "protocol/smtp/path.h"

#include <algorithm>

#include "base/ascii.h"

namespace sternpost::smtp {
namespace {

constexpr bool is_keyword_char(char c) {
  return is_alphanumeric(c) || c == '-';
}

constexpr bool is_value_char(char c) {
  return c > ' ' && c < '\x7f' && c != '=';
}

/// The offset of the '>' that closes a path, in text behind its '<'.
std::size_t closing_bracket(std::string_view text) {
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\') {
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == '>' && !quoted) {
      return i;
    }
  }
  return std::string_view::npos;
}

/// Takes "@a,@b:" off the front; false where it is malformed.
bool drop_source_route(std::string_view& path) {
  while (path.starts_with('@')) {
    const auto end = path.find_first_of(",:", path.starts_with("@[") ? path.find(']') : 0);
    if (end == std::string_view::npos || !mail::Domain::from_wire(path.substr(1, end - 1))) return false;
    const bool last = path[end] == ':';
    path.remove_prefix(end + 1);
    if (last) return !path.empty();
    if (!path.starts_with('@')) return false;
  }
  return true;
}

}  // namespace

std::optional<PathArgument> split_path(std::string_view argument, std::string_view keyword) {
  if (!equals_ignoring_case(argument.substr(0, keyword.size()), keyword)) return std::nullopt;
  argument = trimmed(argument.substr(keyword.size()));
  if (!argument.starts_with('<')) return std::nullopt;
  argument.remove_prefix(1);
  const auto end = closing_bracket(argument);
  if (end == std::string_view::npos) return std::nullopt;
  PathArgument path{argument.substr(0, end), argument.substr(end + 1)};
  if (!path.parameters.empty() && !is_space(path.parameters.front())) return std::nullopt;
  if (!drop_source_route(path.inside)) return std::nullopt;
  path.parameters = trimmed(path.parameters);
  return path;
}

std::optional<Parameter> take_parameter(std::string_view& parameters) {
  const auto word = parameters.substr(0, parameters.find_first_of(" \t"));
  Parameter parameter;
  parameter.keyword = word.substr(0, word.find('='));
  if (parameter.keyword.empty() || parameter.keyword.front() == '-' ||
      !std::ranges::all_of(parameter.keyword, is_keyword_char)) {
    return std::nullopt;
  }
  if (parameter.keyword.size() < word.size()) {
    const auto value = word.substr(parameter.keyword.size() + 1);
    if (value.empty() || !std::ranges::all_of(value, is_value_char)) return std::nullopt;
    parameter.value = value;
  }
  parameters = trimmed(parameters.substr(word.size()));
  return parameter;
}

}  // namespace sternpost::smtp

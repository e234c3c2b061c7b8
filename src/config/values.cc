#include "config/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "config/units.h"

namespace sternpost::config {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + "\"";
}

std::string number_to_toml(Type type, std::uint64_t number) {
  switch (type) {
    case Type::size: {
      const auto text = format_size(number);
      return text.find(' ') == std::string::npos ? text : quoted(text);
    }
    case Type::duration:
      return quoted(format_duration(number * 1'000));
    case Type::milliseconds:
      return quoted(format_duration(number));
    default:
      return fmt::format("{}", number);
  }
}

std::string list_to_toml(const std::vector<std::string>& list) {
  std::string out;
  for (const auto& entry : list) out += (out.empty() ? "" : ", ") + quoted(entry);
  return "[" + out + "]";
}

std::string routes_to_toml(const std::vector<RouteRow>& rows) {
  std::string out;
  for (const auto& row : rows) {
    out += fmt::format("{}{} = ", out.empty() ? "" : ", ", quoted(row.pattern));
    out += row.sources.empty()
               ? quoted(row.next_hop)
               : fmt::format("{{ to = {}, from = {} }}", quoted(row.next_hop), list_to_toml(row.sources));
  }
  return out.empty() ? "{}" : "{ " + out + " }";
}

template <class T>
const T& holding(const Setting& setting) {
  const T* value = std::get_if<T>(&setting.value);
  if (value == nullptr) std::abort();
  return *value;
}

}  // namespace

std::string to_string(const Origin& origin) {
  switch (origin.from) {
    case Origin::From::file:
      return fmt::format("{}:{}", origin.name, origin.line);
    case Origin::From::setup:
      return "setup " + origin.name;
    case Origin::From::option:
      return "option " + origin.name;
    case Origin::From::preset:
      break;
  }
  return "default";
}

const Setting& Values::at(std::string_view key) const {
  const auto found =
      std::ranges::find_if(settings_, [&](const Setting& s) { return s.parameter->key == key; });
  if (found == settings_.end()) std::abort();
  return *found;
}

bool Values::flag(std::string_view key) const {
  return holding<bool>(at(key));
}

std::uint64_t Values::number(std::string_view key) const {
  return holding<std::uint64_t>(at(key));
}

std::uint32_t Values::small(std::string_view key) const {
  const auto wide = number(key);
  if (wide > std::numeric_limits<std::uint32_t>::max()) std::abort();
  return static_cast<std::uint32_t>(wide);
}

const std::string& Values::text(std::string_view key) const {
  return holding<std::string>(at(key));
}

const std::vector<std::string>& Values::list(std::string_view key) const {
  return holding<std::vector<std::string>>(at(key));
}

const std::vector<MailboxRow>& Values::mailboxes(std::string_view key) const {
  return holding<std::vector<MailboxRow>>(at(key));
}

const std::vector<RouteRow>& Values::routes(std::string_view key) const {
  return holding<std::vector<RouteRow>>(at(key));
}

Rule Values::rule(std::string_view key) const {
  const auto& setting = at(key);
  if (setting.origin.from != Origin::From::file) return {std::string(key), "", 0};
  return {std::string(key), setting.origin.name, setting.origin.line};
}

std::string to_toml(const Parameter& parameter, const Value& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* number = std::get_if<std::uint64_t>(&value)) return number_to_toml(parameter.type, *number);
  if (const auto* text = std::get_if<std::string>(&value)) return quoted(*text);
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) return list_to_toml(*list);
  if (const auto* routes = std::get_if<std::vector<RouteRow>>(&value)) return routes_to_toml(*routes);
  std::string out;
  for (const auto& row : std::get<std::vector<MailboxRow>>(value)) {
    out += fmt::format("{}{} = {}", out.empty() ? "" : ", ", quoted(row.address), quoted(row.directory));
  }
  return out.empty() ? "{}" : "{ " + out + " }";
}

}  // namespace sternpost::config

// The values of one configuration: each parameter's, and where it came from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/rule.h"
#include "config/parameter.h"

namespace sternpost::config {

/// One row of a table from address to folder.
struct MailboxRow {
  std::string address;  ///< normalised: lower case
  std::string directory;
  std::uint32_t line = 0;
  bool operator==(const MailboxRow&) const = default;
};

/// One row of a table from domain to next hop.
struct RouteRow {
  std::string pattern;   ///< normalised: "example.org", ".example.org" or "*"
  std::string next_hop;  ///< normalised: route::parse_next_hop takes it
  std::vector<std::string> sources;
  std::uint32_t line = 0;
  bool operator==(const RouteRow&) const = default;
};

/// Numbers are octets, seconds, milliseconds or counts as the parameter's type says; lists are normalised
/// text.
using Value = std::variant<bool, std::uint64_t, std::string, std::vector<std::string>,
                           std::vector<MailboxRow>, std::vector<RouteRow>>;

struct Origin {
  enum class From : unsigned char { preset, setup, file, option };
  From from = From::preset;
  std::string name;        ///< the file, the setup or the option
  std::uint32_t line = 0;  ///< of the file
  bool operator==(const Origin&) const = default;
};

/// "sternpost.toml:3", "setup local-only", "default", "option --state".
std::string to_string(const Origin& origin);

struct Setting {
  const Parameter* parameter = nullptr;
  Value value;
  Origin origin;
};

/// A value for every parameter of the registry. Asking for a key that is not in the registry, or as another
/// type than its own, is a bug and ends the program.
class Values {
 public:
  explicit Values(std::vector<Setting> settings) : settings_(std::move(settings)) {}

  [[nodiscard]] const std::vector<Setting>& settings() const { return settings_; }
  [[nodiscard]] const Setting& at(std::string_view key) const;

  [[nodiscard]] bool flag(std::string_view key) const;
  [[nodiscard]] std::uint64_t number(std::string_view key) const;
  /// A number that the registry bounds below 2^32.
  [[nodiscard]] std::uint32_t small(std::string_view key) const;
  [[nodiscard]] const std::string& text(std::string_view key) const;
  [[nodiscard]] const std::vector<std::string>& list(std::string_view key) const;
  [[nodiscard]] const std::vector<MailboxRow>& mailboxes(std::string_view key) const;
  [[nodiscard]] const std::vector<RouteRow>& routes(std::string_view key) const;
  /// What a decision that this parameter made points at.
  [[nodiscard]] Rule rule(std::string_view key) const;

 private:
  std::vector<Setting> settings_;
};

/// The value as a TOML literal: "\"25 MiB\"", "[\"a\", \"b\"]"; of a table, one inline table.
std::string to_toml(const Parameter& parameter, const Value& value);

}  // namespace sternpost::config

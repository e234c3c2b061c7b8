// From a node of the file to the typed value of a parameter, and from the registry's own defaults likewise.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "config/document.h"
#include "config/parameter.h"
#include "config/values.h"

namespace sternpost::config {

/// What is wrong with a value, at which line; `key` differs from the parameter's in the rows of a table.
struct Complaint {
  std::string key;
  std::uint32_t line = 0;
  std::string text;
};

/// The value that `node` gives `parameter`, checked against its type and bounds, or everything wrong with it.
std::expected<Value, std::vector<Complaint>> read_value(const Parameter& parameter, const Node& node);

/// The value of a default as the registry and the setups write it: Parameter::initial.
std::expected<Value, std::vector<Complaint>> read_default(const Parameter& parameter, std::string_view text);

/// What the parameter takes, to stand behind "expected": "a size from 64 KiB to 1 GiB, such as \"25 MiB\"".
std::string expectation(const Parameter& parameter);

}  // namespace sternpost::config

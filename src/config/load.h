// From the text of a configuration file to values: the whole way, without touching a file.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "config/values.h"

namespace sternpost::config {

/// The most messages about one file; what is beyond is only counted.
inline constexpr std::size_t kMaxErrors = 20;

struct Input {
  std::string_view text;
  std::string file;             ///< its name for messages and origins; of a long one only the end is used
  std::string state_directory;  ///< of the option --state: absolute, or empty where it was not given
};

/// A value for every parameter, or what is wrong: lines such as `sternpost.toml:3: hostnam: there is no such
/// key; did you mean "hostname"?`, in the order of the file, printable, at most kMaxErrors and one that
/// counts the rest.
std::expected<Values, std::vector<std::string>> load(const Input& input);

}  // namespace sternpost::config

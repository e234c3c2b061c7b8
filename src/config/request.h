// What master tells the config compartment in place of a slice: how to read the file it was handed.
#pragma once

#include <string>
#include <tuple>

namespace sternpost::config {

struct ConfigRequest {
  std::string file_name;        ///< for messages and rules; at most 4096 octets
  std::string state_directory;  ///< of the option --state: absolute, or empty where it was not given
  bool operator==(const ConfigRequest&) const = default;
  static constexpr auto fields() {
    return std::tuple(&ConfigRequest::file_name, &ConfigRequest::state_directory);
  }
};

}  // namespace sternpost::config

// What the config compartment answers: a slice for each compartment, or what is wrong with the file.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "config/request.h"
#include "runtime/compartment.h"

namespace sternpost::config {

struct ConfigAnswer {
  std::vector<std::pair<Compartment, std::string>> slices;  ///< encoded; empty where there are errors
  std::vector<std::string> errors;                          ///< printable lines
};

/// Reads the text of the configuration for `request`.
ConfigAnswer answer(const ConfigRequest& request, std::string_view text);

/// The content of the open file `fd`, one octet more than config::kMaxFile at most, whatever its offset is.
Result<std::string> read_file(int fd);

}  // namespace sternpost::config

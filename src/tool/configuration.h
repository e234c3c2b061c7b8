// The configuration as the command line's own user reads it.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "config/values.h"
#include "tool/failure.h"
#include "tool/options.h"

namespace sternpost::tool {

/// `path` made absolute; empty stays empty.
std::string absolute_path(const std::string& path);

/// Reads and checks the file, or answers lines that say what is wrong.
std::expected<config::Values, std::vector<std::string>> load_configuration(const Options& options);
/// One below the other.
std::string joined(const std::vector<std::string>& lines);

/// The state directory that the commands for a running instance use: that of --state, else that of the
/// configuration. Where the configuration is broken: for the file that is read by default, the default, with
/// a word on the error output, so that it does not keep anyone from stopping the server; for another file a
/// failure, for the default would be another instance.
Outcome<std::string> find_state_directory(const Options& options);

}  // namespace sternpost::tool

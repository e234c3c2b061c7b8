// The documents that are made from the program itself.
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "tool/failure.h"

namespace sternpost::tool {

/// The manual page sternpost(8), made from the command line's own help.
std::string program_manual(const CLI::App& app);

/// Prints one document: "sternpost.8", "sternpost.toml.5" or "configuration.md".
Outcome<void> print_document(const CLI::App& app, const std::string& name);

}  // namespace sternpost::tool

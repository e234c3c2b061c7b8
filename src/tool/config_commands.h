// `sternpost config`: what the configuration says, and what it could say. No instance need run.
#pragma once

#include <string>

#include "config/values.h"
#include "tool/failure.h"
#include "tool/options.h"

namespace sternpost::tool {

Outcome<void> config_check(const Options& options);
/// Prints every value and where it came from.
Outcome<void> config_show(const Options& options);
/// Prints the registry's entry of `key`, or one line for every key where it is empty.
Outcome<void> config_explain(const Options& options, const std::string& key);

/// What config_show prints: TOML that would mean the same.
std::string show_text(const config::Values& values);
std::string show_json(const config::Values& values);

}  // namespace sternpost::tool

// What people read about the parameters, made from the registry: help, the reference and the manual page.
#pragma once

#include <string>

#include "config/parameter.h"

namespace sternpost::config {

/// The default as it stands in the file, with those of the setups that differ: `"25 MiB"; local-only: "10
/// MiB"`. "none" where the parameter must be given.
std::string describe_default(const Parameter& parameter);

/// The entry of one parameter as plain text: what `sternpost config explain KEY` prints.
std::string explain(const Parameter& parameter);

/// docs/reference/configuration.md
std::string reference_markdown();

/// The manual page sternpost.toml(5), as troff.
std::string configuration_manual();

/// Text with what troff would interpret escaped; for use within a line.
std::string troff_text(std::string_view text);

}  // namespace sternpost::config

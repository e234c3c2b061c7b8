// `sternpost why`: tells what was decided about a message, an address or a client, and by which rule.
#pragma once

#include <cstddef>
#include <string>

#include "tool/failure.h"
#include "tool/options.h"

namespace sternpost::tool {

/// Prints the stories from the history and, where the instance runs, what the queue knows now. Fails where
/// the history has nothing about `subject`.
Outcome<void> why(const Options& options, const std::string& subject, std::size_t most);

}  // namespace sternpost::tool

// What a spool holds, as text that means the same whatever version of the format it was read from.
#pragma once

#include <set>
#include <string>

#include "base/result.h"
#include "spool/engine.h"

namespace sternpost::spool {

/// A line of JSON for each live message, by rising id: envelope, state of each recipient with what was said
/// of it, size and checksum of the content.
Result<std::string> account_of(Engine& engine);

/// The kinds of things that stand in a spool, by name: "message", "dead_list", "closing mark", "owing" …
Result<std::set<std::string>> kinds_in(const Disks& disks, Engine& engine);

/// Those that a kept spool of this version of the format must have.
std::set<std::string> kinds_of(unsigned version);
/// The version that this tree writes.
unsigned version_written();

}  // namespace sternpost::spool

// Channel from every compartment to log: records, in one direction. Best effort: no compartment waits for
// log.
#pragma once

#include <cstdint>
#include <tuple>
#include <variant>
#include <vector>

#include "runtime/record.h"

namespace sternpost::log_channel {

/// 64 records whose every text is as long as it may be.
inline constexpr std::size_t kMaxFrame = 8UL * 1024 * 1024;

/// Records in the order in which they were made; `dropped` counts those lost before them on this channel.
struct Records {
  std::vector<Record> records;
  std::uint64_t dropped = 0;
  static constexpr auto fields() { return std::tuple(&Records::records, &Records::dropped); }
};

using ToLog = std::variant<Records>;
/// log never says anything; a channel has two directions all the same.
struct Silence {
  static constexpr auto fields() { return std::tuple<>(); }
};
using FromLog = std::variant<Silence>;

}  // namespace sternpost::log_channel

// Channel between admin and qmgr: how the queue manager is doing.
#pragma once

#include <cstdint>
#include <tuple>
#include <variant>

#include "base/codec.h"

namespace sternpost::qmgr {

inline constexpr std::size_t kMaxFrame = 4 * 1024;

struct QueryCounts {
  std::uint64_t request = 0;
  static constexpr auto fields() { return std::tuple(&QueryCounts::request); }
};

using ToQmgr = std::variant<QueryCounts>;

/// Messages that qmgr holds in memory, by what they wait for.
struct Counts {
  std::uint64_t request = 0;
  std::uint64_t routing = 0;   ///< asked of router
  std::uint64_t ready = 0;     ///< routed, waiting for a free place at their site
  std::uint64_t active = 0;    ///< with agents
  std::uint64_t deferred = 0;  ///< waiting for their time
  std::uint64_t held = 0;
  std::uint64_t owing = 0;  ///< nobody is left to try, and the sender is not told yet
  static constexpr auto fields() {
    return std::tuple(&Counts::request, &Counts::routing, &Counts::ready, &Counts::active, &Counts::deferred,
                      &Counts::held, &Counts::owing);
  }
};

using FromQmgr = std::variant<Counts>;

}  // namespace sternpost::qmgr

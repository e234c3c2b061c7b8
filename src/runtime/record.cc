#include "runtime/record.h"

#include <array>

namespace sternpost {
namespace {

constexpr std::array<std::string_view, kEnumBound<Decision>> kNames = {
    "disconnected", "accepted",  "refused", "routed",   "delivered", "deferred", "failed",
    "held",         "released",  "deleted", "started",  "ended",     "renewed",  "configured",
    "violation",    "recovered", "dropped", "pressure", "throttled", "bounced"};

}  // namespace

std::string_view to_string(Decision decision) {
  return kNames[static_cast<unsigned>(decision)];
}

}  // namespace sternpost

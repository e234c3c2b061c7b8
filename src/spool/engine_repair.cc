// What `sternpost spool repair` does with the segments that everybody else leaves as they are.
#include <algorithm>

#include "spool/engine.h"

namespace sternpost::spool {
namespace {

constexpr std::uint64_t kMovedAtOnce = 256ULL * 1024;

}  // namespace

std::vector<std::uint32_t> Engine::quarantined() const {
  const auto& segments = log_.segments();
  std::vector<std::uint32_t> slots;
  for (std::uint32_t slot = 0; slot < segments.size(); ++slot) {
    if (segments[slot].state == SegmentState::quarantined) slots.push_back(slot);
  }
  // An earlier one first: where it ends is what a later one may have to say.
  std::ranges::sort(slots, {},
                    [&](std::uint32_t slot) { return std::pair(segments[slot].header.generation, slot); });
  return slots;
}

Result<void> Engine::empty_quarantined(std::uint32_t slot) {
  if (!log_.segments()[slot].file) {
    return fail(ErrorClass::permanent, segment_name(slot) + " cannot be opened", EIO);
  }
  // A group with an id mark behind all that damaged ones may have given: from here on no start needs them to
  // know.
  if (auto leased = lease(1); !leased) return fail_with(std::move(leased));
  // Spares on each disk: what is on the deferred log's own stays there.
  for (auto more = housekeeper_.maintain(Upkeep::all, kMovedAtOnce); more && *more;)
    more = housekeeper_.maintain(Upkeep::all, kMovedAtOnce);
  const auto step = std::min(kMovedAtOnce, log_.capacity() / 4);
  Recycler recycler(log_, index_, step);
  if (auto started = recycler.start_damaged(slot); !started) {
    return fail_with(std::move(started), "reading " + segment_name(slot));
  }
  for (;;) {
    (void)housekeeper_.make_room(log_.capacity() / 2);
    auto more = recycler.step(step);
    if (!more) return fail_with(std::move(more), "emptying " + segment_name(slot));
    if (!*more) return {};
  }
}

}  // namespace sternpost::spool

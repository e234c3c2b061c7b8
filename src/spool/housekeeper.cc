#include "spool/housekeeper.h"

#include <algorithm>
#include <utility>

namespace sternpost::spool {
namespace {

/// Failures in a row after which no new message is taken until a sync succeeds.
constexpr unsigned kFailuresThatCloseIntake = 2;
/// While mail comes in: those that are kept at least, and one for the deferred log.
constexpr std::uint32_t kPressingSpares = kLeastSpares + 1;
/// Beside the spares that are wanted and twice what is needed; for the segments that logs are in, and so that
/// what one hour gives back the next one does not have to prepare again.
constexpr std::uint64_t kKeptSegments = 4;
/// After growing failed; the space that the disk claims to have may be somebody else's quota.
constexpr Microseconds kGrowAgain = Seconds(5);

}  // namespace

Housekeeper::Housekeeper(SegmentLog& log, Index& index, Clock& clock, std::uint32_t spare_segments,
                         std::uint64_t least_step)
    : log_(log),
      index_(index),
      clock_(clock),
      recycler_(log, index, least_step),
      spare_segments_(spare_segments) {}

Result<void> Housekeeper::disk_works() const {
  if (log_.failures_in_row() < kFailuresThatCloseIntake) return {};
  return fail(ErrorClass::temporary, "the spool's disk fails", EIO);
}

bool Housekeeper::may_add(std::uint64_t extent, std::uint64_t need) const {
  const auto half = log_.capacity() / 2;
  if (log_.spares(Stream::incoming) > kLeastSpares) return true;
  const bool fits = extent <= log_.room(Stream::incoming);
  if (log_.spares(Stream::incoming) == kLeastSpares)
    return fits || std::max(extent, need) <= half + 2 * kBlock;
  return log_.spares(Stream::incoming) == 1 && fits && log_.room(Stream::incoming) - extent >= half &&
         index_.need(*log_.active(Stream::incoming)).bytes + need <= half;
}

bool Housekeeper::may_keep(std::uint64_t extent, const Index::Need& need) const {
  if (log_.spares(Stream::incoming) > kLeastSpares) return true;
  const bool fits = extent <= log_.room(Stream::incoming);
  if (log_.spares(Stream::incoming) == kLeastSpares && fits) return true;
  if (log_.spares(Stream::incoming) == 0 ||
      (log_.spares(Stream::incoming) < kLeastSpares && (!fits || recycler_.busy())))
    return false;
  auto all =
      fits && log_.active(Stream::incoming) ? index_.need(*log_.active(Stream::incoming)) : Index::Need{};
  all.bytes += need.bytes;
  all.items += need.items;
  return recycler_.cost(all) <= log_.capacity() / 4 * 3;
}

void Housekeeper::make_room_to_add(std::uint64_t extent, std::uint64_t need) {
  maintain_until([&] { return may_add(extent, need); });
}

void Housekeeper::make_room_to_keep(std::uint64_t extent, const Index::Need& need) {
  maintain_until([&] { return may_keep(extent, need); });
}

template <class Condition>
void Housekeeper::maintain_until(const Condition& enough) {
  while (!enough()) {
    const auto more = advance(Upkeep::all);
    if (!more || !*more) return;
  }
}

std::size_t Housekeeper::make_room(std::uint64_t extent) {
  bool failed = false;
  while (log_.spares(Stream::incoming) == 0 ||
         (log_.spares(Stream::incoming) < kLeastSpares && extent > log_.room(Stream::incoming))) {
    const auto more = advance(Upkeep::all);
    if (more && !*more) return 0;
    // What failed may have been growing, which is not tried again soon: recycling may do.
    if (!more && std::exchange(failed, true)) return 1;
  }
  return 1;
}

bool Housekeeper::must_hurry() const {
  return log_.spares(Stream::incoming) < kLeastSpares || !disk_works();
}

Result<bool> Housekeeper::maintain(Upkeep upkeep, std::uint64_t bytes) {
  step_bytes_ = bytes;
  const auto more = advance(upkeep);
  step_bytes_ = kUpkeepStep;
  if (more && !*more && trouble_) return std::unexpected(*trouble_);
  return more;
}

/// A segment that cannot be reset stops neither growing nor, unless it is the one that is being recycled,
/// recycling: it is tried again each time.
Result<bool> Housekeeper::advance(Upkeep upkeep) {
  trouble_.reset();
  if (may_reopen() && log_.reopen(Stream::incoming)) return true;
  if (recycler_.busy()) {
    auto more = recycler_.step(step_bytes_);
    if (more) return true;
    if (!recycler_.resetting()) return more;
    trouble_ = std::move(more.error());
  }
  if (reset_one()) return true;
  if (!disk_works() && (log_.has_active(Stream::incoming) || log_.spares(Stream::incoming) > 0))
    return probe();
  for (const auto stream : log_.with_own_spares()) {
    auto more = keep_spares(stream, upkeep);
    if (!more || *more) return more;
  }
  return upkeep == Upkeep::all ? give_back() : false;
}

std::size_t Housekeeper::wanted_spares(Stream stream, Upkeep upkeep) const {
  const bool all = upkeep == Upkeep::all;
  if (stream == Stream::deferred) return all ? kPressingSpares : 1;
  const auto wanted = std::max(spare_segments_, kLeastSpares);
  return all ? wanted : std::min(wanted, kPressingSpares);
}

Result<bool> Housekeeper::keep_spares(Stream stream, Upkeep upkeep) {
  const bool enough = log_.spares(stream) >= wanted_spares(stream, upkeep);
  if (log_.preparing(stream) && (upkeep == Upkeep::all || !enough)) return grow(stream);
  if (enough) return false;
  return start_recycling_or_growing(stream);
}

bool Housekeeper::release_unwanted(Stream stream, Upkeep upkeep) {
  if (log_.spares(stream) <= wanted_spares(stream, upkeep)) return false;
  log_.release_spare(stream);
  return true;
}

/// Spares beyond what the limits allow, which may have been higher, and which `sternpost spool repair`
/// raises: what one disk has of them the other lacks.
bool Housekeeper::give_back_beyond_limits() {
  for (const auto stream : log_.with_own_spares()) {
    if (!log_.fits_its_share(stream) && release_unwanted(stream, Upkeep::pressing)) return true;
  }
  return false;
}

/// What a time of much mail took, when it is over.
Result<bool> Housekeeper::give_back() {
  if (give_back_beyond_limits()) return true;
  std::uint64_t needed = 0;
  for (std::uint32_t slot = 0; slot < log_.segments().size(); ++slot) needed += index_.need(slot).bytes;
  const auto constant = (wanted_spares(Stream::incoming, Upkeep::all) + kKeptSegments) * log_.segment_bytes();
  if (recycler_.busy() || log_.total_bytes() <= 2 * needed + constant) return false;
  for (const auto stream : log_.with_own_spares()) {
    if (release_unwanted(stream, Upkeep::all)) return true;
  }
  for (const auto stream : log_.with_own_spares()) {
    const auto victim = recycler_.cheapest(stream);
    if (!victim || !is_cheap(*victim)) continue;
    recycler_.start(*victim);
    return true;
  }
  return false;
}

/// Of the segments whose header could not be written, the first that now takes one: another may never do.
bool Housekeeper::reset_one() {
  for (const auto slot : log_.doubtful()) {
    if (slot == recycler_.victim()) continue;
    auto reset = log_.reset(slot);
    if (reset) {
      log_.make_spare(slot);
      return true;
    }
    trouble_ = std::move(reset.error());
  }
  return false;
}

/// Where one place of the disk fails again and again, the last spare is the better one.
bool Housekeeper::may_reopen() const {
  if (log_.has_active(Stream::incoming) || log_.spares(Stream::incoming) >= kLeastSpares) return false;
  return disk_works() || log_.spares(Stream::incoming) == 0;
}

bool Housekeeper::may_grow(Stream stream) {
  if (auto& failed = growing_failed_.at(log_.volume_of(stream))) {
    const bool waited = clock_.elapsed() - failed->at >= kGrowAgain;
    if (!waited && log_.counters().segments_reset == failed->resets) return false;
    failed.reset();
  }
  return log_.preparing(stream) || log_.may_grow(stream);
}

Result<bool> Housekeeper::grow(Stream stream) {
  // Never in small steps, of which each is a request to the disk that costs as much as the bytes.
  auto more = log_.prepare_step(stream, std::max(step_bytes_, kUpkeepStep));
  if (more) return true;
  growing_failed_.at(log_.volume_of(stream)) = {clock_.elapsed(), log_.counters().segments_reset};
  return more;
}

/// Does the disk work again?
Result<bool> Housekeeper::probe() {
  if (log_.has_active(Stream::incoming) && log_.room(Stream::incoming) >= kBlock) {
    GroupBuilder mark_only;
    if (auto written = log_.append(Stream::incoming, mark_only, 0); !written)
      return fail_with(std::move(written));
  } else if (auto opened = log_.activate(Stream::incoming); !opened) {
    return fail_with(std::move(opened));
  }
  return true;
}

/// Recycling takes room before it gives any: what is moved, and the rest of the active segment where it does
/// not fit into that.
bool Housekeeper::is_gain(std::uint32_t slot) const {
  const auto cost = recycler_.cost(slot);
  const auto room = log_.active(Stream::deferred) == slot ? 0 : log_.room(Stream::deferred);
  if (cost <= room) return true;
  const auto fits_in = [&](Stream stream, std::uint64_t left) {
    return cost <= left || (log_.spares(stream) > 0 && cost + left <= log_.capacity() / 16 * 15);
  };
  const bool on_own_disk = log_.volumes() > 1 && log_.segments()[slot].volume != 0;
  return on_own_disk ? fits_in(Stream::deferred, room)
                     : fits_in(Stream::incoming, log_.room(Stream::incoming));
}

bool Housekeeper::is_cheap(std::uint32_t slot) const {
  const auto stream = log_.segments()[slot].volume == 0 ? Stream::incoming : Stream::deferred;
  const auto limit = log_.spares(stream) > 0 ? log_.capacity() : log_.room(stream);
  return recycler_.cost(slot) <= limit / 2 && is_gain(slot);
}

/// Cheap recycling before growing, growing before recycling whatever is a gain.
Result<bool> Housekeeper::start_recycling_or_growing(Stream stream) {
  if (recycler_.busy()) return may_grow(stream) ? grow(stream) : Result<bool>(false);
  const auto victim = recycler_.cheapest(stream);
  if (victim && is_cheap(*victim)) {
    recycler_.start(*victim);
    return true;
  }
  if (may_grow(stream)) return grow(stream);
  if (victim && is_gain(*victim)) {
    recycler_.start(*victim);
    return true;
  }
  if (victim && stream == Stream::incoming && other_disk_has_room()) {
    recycler_.start(*victim, /*must_leave=*/true);
    return true;
  }
  // Where no closed one is worth it, the one where the deferred log goes on may be.
  const auto last = log_.active(Stream::deferred);
  if (last && log_.segments()[*last].volume == log_.volume_of(stream) && is_gain(*last) &&
      frees_more_than_is_left(Stream::deferred)) {
    recycler_.start(*last);
    return true;
  }
  return stream == Stream::incoming ? recycle_active() : false;
}

/// For a whole segment of the main one.
bool Housekeeper::other_disk_has_room() const {
  return log_.volumes() > 1 && log_.spares(Stream::deferred) > 2 && !recycler_.deferred_failed();
}

/// Recycling an active segment gives back more than its cost and what is left in it; else it would go on for
/// ever.
bool Housekeeper::frees_more_than_is_left(Stream stream) const {
  return recycler_.cost(*log_.active(stream)) + log_.room(stream) + 2 * kBlock <= log_.capacity() / 16 * 15;
}

/// The active segment may be the only one that is worth it.
Result<bool> Housekeeper::recycle_active() {
  const auto slot = log_.active(Stream::incoming);
  if (!slot || log_.spares(Stream::incoming) == 0) return false;
  if (!frees_more_than_is_left(Stream::incoming)) return false;
  if (log_.room(Stream::incoming) > log_.capacity() / 4) return false;
  if (auto opened = log_.activate(Stream::incoming); !opened) return fail_with(std::move(opened));
  recycler_.start(*slot);
  return true;
}

}  // namespace sternpost::spool

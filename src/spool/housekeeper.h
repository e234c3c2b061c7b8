// Keeps room in the log: prepares spare segments, recycles, and says who may use what is left.
//
// Progress. A spool that is full of deferred mail must still take the outcome that frees it, and every
// outcome takes room of its own before its message's gives room back. So the last spare belongs to recycling,
// and while it is the last, what is written to the active segment and stays needed is bounded: messages,
// holds, new envelopes and deferrals leave half of it free; what should not have to wait and frees nothing
// either (failures, which keep their message, deliveries to some, releases) may bring the cost of recycling
// it to three quarters. Such a segment is worth recycling once it is full, whatever the others hold, and what
// is moved fits into the spare: there is always a next one. Only where nothing can be recycled does an
// outcome that ends its message take the last spare. A segment that is quarantined may take the reserve with
// it; then nothing but a higher limit helps.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/result.h"
#include "spool/index.h"
#include "spool/recycler.h"
#include "spool/segment_log.h"

namespace sternpost::spool {

/// How much is done ahead of need.
enum class Upkeep : unsigned char {
  pressing,  ///< what the next messages may have to wait for: while others wait for the disk
  all,       ///< all that is wanted: while nobody does
};

/// What a step of upkeep writes about, while nobody waits for the disk or all do.
inline constexpr std::uint64_t kUpkeepStep = 256 * 1024;

class Housekeeper {
 public:
  /// `least_step`: no step of moving is asked to write less.
  Housekeeper(SegmentLog& log, Index& index, Clock& clock, std::uint32_t spare_segments,
              std::uint64_t least_step);

  void set_spares(std::uint32_t spare_segments) { spare_segments_ = spare_segments; }

  /// Does a bounded step of what should be done ahead of need, which writes about `bytes`. True while there
  /// is more. Says what stands in the way when nothing else is left.
  Result<bool> maintain(Upkeep upkeep, std::uint64_t bytes);
  /// What is pressing cannot wait: spares are scarce, or the disk fails.
  [[nodiscard]] bool must_hurry() const;

  /// Temporary while the disk fails.
  [[nodiscard]] Result<void> disk_works() const;
  /// Whether a group of `extent` bytes leaves what recycling needs, where moving what stays needed of it
  /// takes `need`.
  [[nodiscard]] bool may_add(std::uint64_t extent, std::uint64_t need) const;
  /// Whether a group of `extent` bytes that cannot be refused for long, and frees nothing, leaves a segment
  /// that is worth recycling, where so much of it stays needed.
  [[nodiscard]] bool may_keep(std::uint64_t extent, const Index::Need& need) const;
  /// Whether another segment may be added now: not soon after that failed.
  [[nodiscard]] bool may_grow() { return may_grow(Stream::incoming); }
  /// Makes room for such a group where that can be; slow, for when maintain() could not keep up.
  void make_room_to_add(std::uint64_t extent, std::uint64_t need);
  void make_room_to_keep(std::uint64_t extent, const Index::Need& need);
  /// Makes room for a group of `extent` bytes that must be written. Answers how many spares it leaves alone.
  std::size_t make_room(std::uint64_t extent);

 private:
  template <class Condition>
  void maintain_until(const Condition& enough);
  Result<bool> advance(Upkeep upkeep);
  bool reset_one();
  [[nodiscard]] std::size_t wanted_spares(Stream stream, Upkeep upkeep) const;
  Result<bool> keep_spares(Stream stream, Upkeep upkeep);
  bool release_unwanted(Stream stream, Upkeep upkeep);
  bool give_back_beyond_limits();
  Result<bool> give_back();
  bool may_grow(Stream stream);
  Result<bool> grow(Stream stream);
  [[nodiscard]] bool may_reopen() const;
  Result<bool> start_recycling_or_growing(Stream stream);
  Result<bool> probe();
  [[nodiscard]] bool other_disk_has_room() const;
  [[nodiscard]] bool is_gain(std::uint32_t slot) const;
  [[nodiscard]] bool is_cheap(std::uint32_t slot) const;
  [[nodiscard]] bool frees_more_than_is_left(Stream stream) const;
  Result<bool> recycle_active();

  SegmentLog& log_;
  const Index& index_;
  Clock& clock_;
  Recycler recycler_;
  std::uint32_t spare_segments_;
  std::uint64_t step_bytes_ = kUpkeepStep;  ///< of the step that is made
  struct FailedGrowth {
    Microseconds at{};         ///< on the clock that does not step
    std::uint64_t resets = 0;  ///< until then
  };
  std::array<std::optional<FailedGrowth>, kStreams.size()> growing_failed_;  ///< by volume
  std::optional<Error> trouble_;  ///< why a segment was not reset in the last step
};

}  // namespace sternpost::spool

// What happened in one simulated life of a spool, by kind.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace sternpost::sim {

/// What happened, so that a test can tell that the simulation exercises what it claims to.
struct LifeStory {
  std::string violation;  ///< empty where every promise was kept
  std::uint64_t crashes = 0;
  std::uint64_t power_losses = 0;
  std::uint64_t failed_calls = 0;
  std::uint64_t clock_steps = 0;
  std::uint64_t rots = 0;
  std::uint64_t repairs = 0;
  std::uint64_t repairs_cut = 0;  ///< by a crash
  std::uint64_t refused_full = 0;
  std::uint64_t messages = 0;
  std::uint64_t notices = 0;  ///< of the messages, those that settle another one
  std::uint64_t content_files = 0;
  std::uint64_t orphans = 0;  ///< content files found by a start
  std::uint64_t envelopes = 0;
  std::uint64_t outcomes = 0;
  std::uint64_t marks = 0;
  std::uint64_t dead_lists = 0;  ///< in the logs at the end of the life
  std::uint64_t queued = 0;      ///< messages in this state when the promises were checked
  std::uint64_t deferred = 0;
  std::uint64_t held = 0;
  std::uint64_t owing = 0;
  std::uint64_t finished = 0;
  std::uint64_t segments_reset = 0;
  std::uint64_t deferred_groups = 0;  ///< written to the deferred log
  std::uint64_t torn_tails = 0;
  std::uint64_t deferrals_in_memory = 0;
  std::uint64_t checkpoints = 0;
  std::uint64_t from_checkpoint = 0;      ///< starts
  std::uint64_t checkpoints_refused = 0;  ///< at starts

  enum class Kind : unsigned char { record, state, disaster, upkeep };
  static constexpr std::array<std::string_view, 4> kKinds = {"records", "states", "disasters", "upkeep"};
  struct Counter {
    Kind kind;
    std::string_view name;
    std::uint64_t LifeStory::* value;
  };
  static constexpr auto counters();
};

/// Each must have happened in a soak of hours (scripts/sim-soak), by kind.
constexpr auto LifeStory::counters() {
  using enum Kind;
  return std::to_array<Counter>({
      {record, "messages", &LifeStory::messages},
      {record, "notices", &LifeStory::notices},
      {record, "content files", &LifeStory::content_files},
      {record, "new envelopes", &LifeStory::envelopes},
      {record, "outcomes", &LifeStory::outcomes},
      {record, "dead lists", &LifeStory::dead_lists},
      {record, "holds and releases", &LifeStory::marks},
      {state, "queued", &LifeStory::queued},
      {state, "deferred", &LifeStory::deferred},
      {state, "held", &LifeStory::held},
      {state, "owing", &LifeStory::owing},
      {state, "finished", &LifeStory::finished},
      {disaster, "crashes", &LifeStory::crashes},
      {disaster, "power losses", &LifeStory::power_losses},
      {disaster, "failed calls", &LifeStory::failed_calls},
      {disaster, "clock steps", &LifeStory::clock_steps},
      {disaster, "refusals for lack of space", &LifeStory::refused_full},
      {disaster, "orphaned content files", &LifeStory::orphans},
      {disaster, "torn tails", &LifeStory::torn_tails},
      {disaster, "disks that rot", &LifeStory::rots},
      {disaster, "repairs cut short", &LifeStory::repairs_cut},
      {disaster, "checkpoints refused", &LifeStory::checkpoints_refused},
      {upkeep, "segments recycled", &LifeStory::segments_reset},
      {upkeep, "groups moved to the deferred log", &LifeStory::deferred_groups},
      {upkeep, "deferrals kept in memory", &LifeStory::deferrals_in_memory},
      {upkeep, "repairs", &LifeStory::repairs},
      {upkeep, "checkpoints", &LifeStory::checkpoints},
      {upkeep, "starts from a checkpoint", &LifeStory::from_checkpoint},
  });
}

}  // namespace sternpost::sim

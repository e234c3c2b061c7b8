// One simulated life of a spool: a seed decides what is asked of it, what fails, and when it dies.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "sim_disk.h"

namespace sternpost::sim {

/// What happened, so that a test can tell that the simulation exercises what it claims to.
struct LifeStory {
  std::string violation;  ///< empty where every promise was kept
  std::uint64_t crashes = 0;
  std::uint64_t power_losses = 0;
  std::uint64_t failed_calls = 0;
  std::uint64_t refused_full = 0;
  std::uint64_t messages = 0;
  std::uint64_t notices = 0;  ///< of the messages, those that settle another one
  std::uint64_t content_files = 0;
  std::uint64_t orphans = 0;  ///< content files found by a start
  std::uint64_t envelopes = 0;
  std::uint64_t outcomes = 0;
  std::uint64_t marks = 0;
  std::uint64_t queued = 0;  ///< messages in this state when the promises were checked
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

  struct Counter {
    std::string_view name;
    std::uint64_t LifeStory::* value;
  };
  static constexpr auto counters();
};

constexpr auto LifeStory::counters() {
  return std::to_array<Counter>({
      {"crashes", &LifeStory::crashes},
      {"power losses", &LifeStory::power_losses},
      {"failed calls", &LifeStory::failed_calls},
      {"refused for lack of space", &LifeStory::refused_full},
      {"messages", &LifeStory::messages},
      {"notices", &LifeStory::notices},
      {"content files", &LifeStory::content_files},
      {"orphans", &LifeStory::orphans},
      {"new envelopes", &LifeStory::envelopes},
      {"outcomes", &LifeStory::outcomes},
      {"holds and releases", &LifeStory::marks},
      {"looks at queued", &LifeStory::queued},
      {"at deferred", &LifeStory::deferred},
      {"at held", &LifeStory::held},
      {"at owing", &LifeStory::owing},
      {"finished", &LifeStory::finished},
      {"segments recycled", &LifeStory::segments_reset},
      {"groups moved to the deferred log", &LifeStory::deferred_groups},
      {"torn tails", &LifeStory::torn_tails},
      {"deferrals kept in memory", &LifeStory::deferrals_in_memory},
      {"checkpoints", &LifeStory::checkpoints},
      {"starts from one", &LifeStory::from_checkpoint},
      {"checkpoints refused", &LifeStory::checkpoints_refused},
  });
}

LifeStory live(std::uint64_t seed, const Lies& lies);

}  // namespace sternpost::sim

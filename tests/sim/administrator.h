// The simulated administrator, who repairs what rot has damaged, with what `sternpost spool repair` calls.
#pragma once

#include <string>
#include <vector>

#include "dice.h"
#include "life_story.h"
#include "model.h"
#include "sim_clock.h"
#include "sim_disk.h"
#include "spool/engine.h"

namespace sternpost::sim {

class Administrator {
 public:
  /// `disks` are those in use, the main one first.
  Administrator(Dice& dice, const std::vector<SimDisk*>& disks, SimClock& clock, LifeStory& story)
      : dice_(dice), disks_(disks), clock_(clock), story_(story) {}

  /// Repairs a spool that no server uses, and may leave it as it is where that is broken off: by a disk that
  /// fails at these rates, or the end of the process or the power at any call. Throws Violation where more is
  /// lost than was damaged, or a repair on disks that work does not get to its end.
  void repair(Model& model, const spool::EngineOptions& options, const FailureRates& rates);

 private:
  [[nodiscard]] spool::Disks disks() const;
  Model::Found look(const spool::EngineOptions& options);
  void try_once(const spool::EngineOptions& options, const FailureRates& rates);
  std::string run(const spool::EngineOptions& options, std::uint64_t calls_to_crash);
  void finish(const spool::EngineOptions& options);

  Dice& dice_;
  const std::vector<SimDisk*>& disks_;
  SimClock& clock_;
  LifeStory& story_;
};

}  // namespace sternpost::sim

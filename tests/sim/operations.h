// What the callers of the spool ask of it in one life.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dice.h"
#include "life_story.h"
#include "model.h"
#include "sim_clock.h"
#include "sim_disk.h"
#include "spool/engine.h"

namespace sternpost::sim {

/// How a life differs from others in what is asked.
struct Habits {
  std::uint64_t target_live = 0;
  double deferring = 0.3;
  double large = 0;  ///< messages with content files
  std::uint64_t longest_reply = 60;
};

class Operations {
 public:
  Operations(Dice& dice, Model& model, SimDisk& disk, SimClock& clock, LifeStory& story)
      : dice_(dice), model_(model), disk_(disk), clock_(clock), story_(story) {}

  [[nodiscard]] Habits& habits() { return habits_; }

  /// Anything, of a new message or one that is there; nothing where what it needs failed.
  std::optional<spool::Op> next(spool::Engine& engine);
  /// A new message.
  std::optional<spool::Op> add(spool::Engine& engine);
  /// All that is open fails for good.
  spool::RecordOutcomes expiry(QueueId id, const spool::MessageState& state);

  /// Removes content files that nobody needs: at any time, in any order, and not all at once.
  void remove_discarded(spool::Engine& engine, double part);
  /// The process ended: what it had in memory is gone.
  void forget();

 private:
  bool write_file(spool::Engine& engine, spool::AddMessage& message);
  std::optional<spool::Op> notice(spool::Engine& engine, QueueId about);
  spool::Op outcomes(QueueId id);
  spool::Op replace(QueueId id);
  mail::Mailbox address();
  std::string content();

  Dice& dice_;
  Model& model_;
  SimDisk& disk_;
  SimClock& clock_;
  LifeStory& story_;
  Habits habits_;
  std::vector<QueueId> leases_;
  std::vector<QueueId> discarded_;  ///< content files that may be removed
};

}  // namespace sternpost::sim

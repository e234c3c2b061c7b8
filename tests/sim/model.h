// What the spool must hold, as its callers may believe: acknowledged operations, and those whose fate a crash
// or a failure left open.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "spool/engine.h"

namespace sternpost::sim {

/// A broken promise; what() says which.
struct Violation {
  std::string what;
};

class Model {
 public:
  /// These were sent in one commit and this is what came of it; no results: the process died inside.
  /// `some_kept_in_memory`: attempts that did not deliver may be forgotten by the next start, although they
  /// were acknowledged.
  void committed(const std::vector<spool::Op>& ops, const std::vector<Result<void>>* results,
                 bool some_kept_in_memory = false);
  /// The disk begins to lose what was on it: from now on only what nobody ever sent is a violation.
  void rot() { rotten_ = true; }
  [[nodiscard]] bool is_rotten() const { return rotten_; }
  /// Ids were leased.
  void leased(QueueId first, std::uint32_t count);
  /// The process ended; the next check is of a recovered engine.
  void restarted() { recovered_ = true; }

  /// Holds all that can be asked of the engine against all that is known. Throws Violation.
  void check(spool::Engine& engine);

  struct Expected {
    mail::Envelope envelope;
    spool::ContentFile content;  ///< its length and checksum, wherever it is
    spool::MessageState state;
    bool operator==(const Expected&) const = default;
  };
  /// What is left in a spool that rots.
  struct Found {
    std::map<QueueId, Expected> whole;
    std::set<QueueId> unreadable;  ///< in the queue, and nobody can be given them
  };
  static Found read(spool::Engine& engine);
  /// A repair, finished or not, loses nothing that could be read and brings nothing back. Throws Violation.
  static void check_repair(const Found& before, const Found& after);
  /// What is not in `found` is given up, and the spool must keep its promises again.
  void repaired(const Found& found);

  [[nodiscard]] std::vector<QueueId> live() const;
  [[nodiscard]] std::size_t finished() const { return finished_.size(); }
  /// The state of a live message.
  [[nodiscard]] const spool::MessageState& state(QueueId id) const { return messages_.at(id).state; }
  [[nodiscard]] const mail::Envelope& envelope(QueueId id) const { return messages_.at(id).envelope; }

 private:
  /// Live, or finished, or never there.
  using Fate = std::optional<Expected>;

  /// What one operation does to one message: a notice changes two.
  struct Change {
    QueueId id;
    std::variant<spool::Op, spool::Settlement> what;
  };

  static bool apply(const Change& change, Fate& fate);
  static bool apply(const spool::Op& op, Fate& fate);
  static std::vector<Change> changes_of(const spool::Op& op);
  static bool may_be_forgotten(const spool::Op& op);
  bool acknowledge(const spool::Op& op, bool accepted, bool in_memory);
  void check_notice(spool::Engine& engine, const spool::AddMessage& notice) const;
  [[nodiscard]] Fate fate(QueueId id) const;
  void settle(QueueId id, const Fate& fate, bool existed);
  void settle_open_ops(spool::Engine& engine);
  void adopt_states(spool::Engine& engine);
  [[nodiscard]] bool explains(QueueId id, const Fate& expected, const Fate& observed) const {
    return explains(expected, observed, loose_.contains(id));
  }
  static bool explains(const Fate& expected, const Fate& observed, bool loose);
  [[nodiscard]] bool is_same(QueueId id, const Fate& expected, const Fate& observed) const;
  static Fate without_deferred_texts(Fate fate);
  void check_rotten(spool::Engine& engine) const;
  static Fate observe(spool::Engine& engine, QueueId id);
  static Result<Expected> read(spool::Engine& engine, spool::Message message, QueueId id);
  static std::string difference(QueueId id, const Fate& expected, const Fate& observed);

  std::map<QueueId, Expected> messages_;
  std::set<QueueId> finished_;
  /// Sent and not acknowledged, in order; a recovery may find any run of them.
  std::vector<spool::Op> open_ops_;
  /// Acknowledged since the last recovery, or found by it: was_committed must say so.
  std::set<QueueId> era_;
  /// Of which an attempt that did not deliver may be forgotten by the next start.
  std::set<QueueId> loose_;
  std::set<QueueId> added_;
  bool rotten_ = false;
  std::uint64_t highest_id_ = 0;
  bool recovered_ = false;
};

}  // namespace sternpost::sim

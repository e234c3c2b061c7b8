// How much of the content that was sent to spool it still has in memory, as far as is known: the bound of
// what clients may send on.
#pragma once

#include <chrono>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/queue_id.h"
#include "base/result.h"
#include "service/spool/intake_protocol.h"

namespace sternpost::smtpd {

/// An id and the channel to spool (its epoch, see PeerLines) on which it was leased.
struct LeasedId {
  QueueId id;
  std::uint32_t epoch = 0;
};

/// Counts octets that are on their way: pieces until spool has taken them, commits until they are answered.
/// A message has a window of its own, so that a long one that waits delays no other. All messages of this
/// worker together have a bound that holds its memory, and long ones may use half of it.
class FlowControl {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// The most that one read of a client becomes in pieces: where a bare LF is taken as a line end, two octets
  /// may come of each.
  static constexpr std::size_t kMostOfOneRead = 2 * spool_intake::kPieceBytes;
  /// Beyond it no content is read. What is read at that moment may exceed it by one read and one commit.
  static constexpr std::uint64_t kMostOnTheWay = 16UL << 20U;
  /// How long spool may be silent about a message of which something is on the way.
  static constexpr std::chrono::seconds kPatience{60};

  void piece_sent(const LeasedId& id, std::size_t bytes, Time now);
  /// Spool has taken `bytes` of the message's pieces in all. Peer where that is more than was sent, or less
  /// than it said before. Says nothing of a message that is not known (any more).
  Result<void> taken(QueueId id, std::uint64_t bytes, Time now);
  /// A commit of `bytes` was sent, and its window is closed. Answers what is on the way of both: to be
  /// released with the answer to the commit.
  [[nodiscard]] std::uint64_t commit_sent(QueueId id, std::size_t bytes);
  void release(std::uint64_t bytes) { on_the_way_ -= bytes; }
  /// The message will not be committed.
  void forget(QueueId id);
  /// The channel is gone with all pieces that were sent on it.
  void channel_closed(std::uint32_t epoch);

  /// Messages that spool has been silent about for too long. They count no more and are given up.
  std::vector<LeasedId> give_up(Time now);
  [[nodiscard]] bool given_up(QueueId id) const;

  /// Whether the client of this message may be read from once. Always, at some time: where a message lacks
  /// room, something is on the way.
  [[nodiscard]] bool has_room(QueueId id) const;
  [[nodiscard]] std::uint64_t on_the_way() const { return on_the_way_; }

 private:
  /// Of a message of which pieces were sent, and no commit.
  struct Window {
    std::uint32_t epoch = 0;
    std::uint64_t sent = 0;
    std::uint64_t taken = 0;
    Time moved;  ///< when spool took some, or had nothing left to take
    bool given_up = false;
    [[nodiscard]] std::uint64_t on_the_way() const { return given_up ? 0 : sent - taken; }
  };

  std::unordered_map<QueueId, Window> windows_;
  std::uint64_t on_the_way_ = 0;
};

}  // namespace sternpost::smtpd

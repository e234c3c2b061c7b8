// The way of messages to spool: leased ids, pieces, commits, and the truth about each commit.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <unordered_map>

#include "runtime/record.h"
#include "service/smtpd/peer_lines.h"
#include "service/smtpd/smtpd_session.h"
#include "service/spool/intake_protocol.h"

namespace sternpost::smtpd {

/// An id and the lease that it is from.
struct LeasedId {
  QueueId id;
  std::uint32_t epoch = 0;
};

class SpoolLink {
 public:
  /// A message that was sent and not answered, and the record to be made when it is accepted.
  struct Sent {
    std::uint64_t session = 0;
    Record accepted;
  };
  struct Handlers {
    std::function<void(Sent&& message)> on_committed;
    std::function<void(Sent&& message, const mail::Reply& reply, const Rule& rule)> on_not_committed;
    std::function<void()> on_ids;
    std::function<void(const spool_intake::Pressure& pressure)> on_pressure;
    /// A channel is gone; `last`: there is no other.
    std::function<void(const Error& why, bool last)> on_closed;
  };

  SpoolLink(boost::asio::io_context& loop, TrafficCounters& counters, Handlers handlers);

  /// A channel to a new spool: asks it for ids, and what became of the commits that the last one did not
  /// answer.
  void connect(UniqueFd socket);

  /// Nothing where no id is at hand; on_ids follows when there is.
  std::optional<LeasedId> take_id();

  /// Whether ids of that lease can still be committed.
  [[nodiscard]] bool holds(std::uint32_t epoch) const { return lines_.has(epoch); }

  void send(const LeasedId& id, const spool_intake::Piece& piece) { lines_.send(id.epoch, piece); }
  void send(const LeasedId& id, const spool_intake::Abandon& abandon) { lines_.send(id.epoch, abandon); }
  /// Answered by exactly one of on_committed and on_not_committed, in bounded time once spool is away.
  void commit(std::uint32_t epoch, const spool_intake::Commit& commit, Sent message);

  /// Answers 451 to commits whose spool has been away for 30 seconds.
  void sweep(SteadyTime now);

  [[nodiscard]] std::size_t outstanding() const { return outstanding_.size(); }
  /// Spool takes content more slowly than clients send it.
  [[nodiscard]] bool behind() const;

 private:
  struct Outstanding {
    Sent message;
    std::uint32_t epoch = 0;  ///< of the channel that owes the answer; 0 while there is none
    SteadyTime away_since;
  };

  Result<void> on_frame(std::uint32_t epoch, spool_intake::FromSpool&& frame);
  Result<void> on_leased(std::uint32_t epoch, const spool_intake::Leased& leased);
  void on_closed(std::uint32_t epoch, const Error& why);
  void settle(QueueId id, bool committed, const mail::Reply& reply, const Rule& rule);
  void ask_about_commits();
  void ask_for_ids();
  void forget_ids();

  Handlers handlers_;
  PeerLines<spool_intake::FromSpool, spool_intake::ToSpool> lines_;
  std::deque<spool_intake::Leased> ids_;  ///< of the newest channel
  std::uint32_t ids_left_ = 0;
  bool asked_for_ids_ = false;
  std::unordered_map<QueueId, Outstanding> outstanding_;
};

}  // namespace sternpost::smtpd

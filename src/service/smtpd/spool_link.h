// The way of messages to spool: leased ids, pieces, commits, and the truth about each commit.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <unordered_map>

#include "runtime/record.h"
#include "service/smtpd/flow_control.h"
#include "service/smtpd/peer_lines.h"
#include "service/smtpd/smtpd_session.h"
#include "service/spool/intake_protocol.h"

namespace sternpost::smtpd {

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
    /// Less is on the way than before: a message that lacked room may have some.
    std::function<void()> on_room;
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

  /// Whether content of this message may be read from its client; see FlowControl. Also where the message is
  /// lost: then what comes is dropped.
  [[nodiscard]] bool has_room(const LeasedId& id) const;
  /// Why the message cannot be committed any more; nothing where it can.
  [[nodiscard]] std::optional<Rule> lost(const LeasedId& id) const;

  /// Only while there is room. Nothing is sent of a message that is lost.
  void send(const LeasedId& id, const spool_intake::Piece& piece);
  /// The message is at its end without a commit.
  void abandon(const LeasedId& id);
  /// Only of a message that is not lost. Answered by exactly one of on_committed and on_not_committed, in
  /// bounded time once spool is away.
  void commit(std::uint32_t epoch, const spool_intake::Commit& commit, Sent message);

  /// Answers 451 to commits whose spool has been away for 30 seconds, and gives messages up of whose pieces
  /// spool takes none.
  void sweep(SteadyTime now);

  [[nodiscard]] std::size_t outstanding() const { return outstanding_.size(); }
  /// Octets that were sent to spool and, as far as is known, are in its memory or ours.
  [[nodiscard]] std::uint64_t on_the_way() const { return flow_.on_the_way(); }

 private:
  struct Outstanding {
    Sent message;
    std::uint32_t epoch = 0;  ///< of the channel that owes the answer; 0 while there is none
    SteadyTime away_since;
    std::uint64_t on_the_way = 0;  ///< to be released with the answer
  };

  Result<void> on_frame(std::uint32_t epoch, spool_intake::FromSpool&& frame);
  Result<void> on_leased(std::uint32_t epoch, const spool_intake::Leased& leased);
  void on_closed(std::uint32_t epoch, const Error& why);
  Result<void> on_taken(const spool_intake::Taken& taken);
  void settle(QueueId id, bool committed, const mail::Reply& reply, const Rule& rule);
  void ask_about_commits();
  void ask_for_ids();
  void forget_ids();

  Handlers handlers_;
  PeerLines<spool_intake::FromSpool, spool_intake::ToSpool> lines_;
  std::deque<spool_intake::Leased> ids_;  ///< of the newest channel
  std::uint32_t ids_left_ = 0;
  bool asked_for_ids_ = false;
  FlowControl flow_;
  std::unordered_map<QueueId, Outstanding> outstanding_;
};

}  // namespace sternpost::smtpd

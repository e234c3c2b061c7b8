// What intakes have sent and not committed: leased ids and pieces of messages, within bounds.
//
// Trust: intakes are hostile here. What no honest intake would send is an error of class peer.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <variant>

#include "base/result.h"
#include "mail/status.h"
#include "service/spool/intake_protocol.h"
#include "spool/id_set.h"
#include "spool/ops.h"

namespace sternpost::spool_service {

/// Names a channel in this process; higher is newer.
using ChannelId = std::uint64_t;

struct IntakeLimits {
  std::uint64_t max_message_bytes = 0;
  std::uint64_t max_buffered_bytes = 0;  ///< of pieces, all channels together
};

class IntakeDesk {
 public:
  explicit IntakeDesk(const IntakeLimits& limits) : limits_(limits) {}
  void set_limits(const IntakeLimits& limits) { limits_ = limits; }

  void leased(ChannelId channel, QueueId first, std::uint32_t count);
  /// Peer where the id was not leased to the channel or the piece is larger than pieces are.
  Result<void> take(ChannelId channel, spool_intake::Piece&& piece);
  Result<void> take(ChannelId channel, const spool_intake::Abandon& abandon);
  /// The message, whole, or why it is refused.
  using Taken = std::variant<spool::AddMessage, mail::Reply>;
  Result<Taken> take(ChannelId channel, spool_intake::Commit&& commit);
  /// Forgets the channel with all that it sent.
  void closed(ChannelId channel);

  [[nodiscard]] std::uint64_t buffered_bytes() const { return buffered_; }

 private:
  /// A message whose pieces arrive. Once it is refused, its bytes are dropped as they come.
  struct Partial {
    std::string bytes;
    mail::Reply refused;  ///< code 0: not refused
  };
  struct Intake {
    Intake();
    spool::IdSet leased;
    std::unordered_map<QueueId, Partial> partial;
  };

  Result<Intake*> intake_of(ChannelId channel, QueueId id);
  void append(Partial& partial, std::string_view bytes);
  void refuse(Partial& partial, mail::Reply reply);

  IntakeLimits limits_;
  std::map<ChannelId, Intake> intakes_;
  std::uint64_t buffered_ = 0;
};

/// A time that a peer names, brought to where arithmetic with it is safe and means something: from 1970 on,
/// and not in the future.
WallTime not_later_than_now(WallTime named);

/// Whether an envelope is larger than the frames that must carry it to qmgr, agents and admin can be.
bool fits_in_frames(const mail::Envelope& envelope);

}  // namespace sternpost::spool_service

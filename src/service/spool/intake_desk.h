// What intakes have sent and not committed: leased ids and large messages that arrive in pieces, within
// bounds. It decides; the pieces themselves are its caller's.
//
// Trust: intakes are hostile here. What no honest intake would send is an error of class peer.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "mail/status.h"
#include "service/spool/intake_protocol.h"
#include "spool/id_set.h"
#include "spool/ops.h"

namespace sternpost::spool_service {

/// Names a channel in this process; higher is newer.
using ChannelId = std::uint64_t;

inline constexpr std::size_t kMaxLargeAtOnce = 1024;

struct IntakeLimits {
  std::uint64_t max_message_bytes = 0;
  /// In memory, of messages with a content file that are not committed: pieces, envelopes and notices, all
  /// channels together. Looked at before an envelope or a notice is added, so that one may exceed it.
  std::uint64_t max_buffered_bytes = 0;
  /// Large messages of which content is arriving or being synced, all channels together: each is an open
  /// file.
  std::size_t max_large = kMaxLargeAtOnce;
};

/// Messages of one channel of which only pieces are there, those included that are refused. As many as it may
/// have sessions.
inline constexpr std::size_t kMaxPartial = 65'536;
/// Has the share of notices; no channel is called so.
inline constexpr ChannelId kNotices = 0;

/// No channel gets more memory or files than are left for the others: none, nor several together, can take
/// all. The window of one message it gets wherever there is room for it.
class IntakeDesk {
 public:
  /// Whether the queue has room for a content file of so many bytes, beside those that are being written.
  using MayTake = std::function<Result<void>(std::uint64_t bytes, std::uint64_t being_written)>;

  IntakeDesk(const IntakeLimits& limits, MayTake may_take)
      : limits_(limits), may_take_(std::move(may_take)) {}
  void set_limits(const IntakeLimits& limits) { limits_ = limits; }

  void leased(ChannelId channel, QueueId first, std::uint32_t count);

  /// What to do with a piece: it is written to the content file, or dropped because the message is refused.
  struct PieceStep {
    bool write = false;
    bool remove_file = false;                  ///< what was written before is of no use
    std::optional<spool_intake::Taken> taken;  ///< to be told at once, for what is dropped
  };
  /// Peer where the id was not leased to the channel, the piece has not the size of one, the window is
  /// exceeded, or the channel has sent pieces of too many messages.
  Result<PieceStep> take(ChannelId channel, const spool_intake::Piece& piece);
  /// A piece was written, or was not: then the message is refused. Answers whom to tell; nothing where nobody
  /// wants to know any more.
  struct Told {
    ChannelId channel = 0;
    spool_intake::Taken taken;
    bool remove_file = false;
  };
  std::optional<Told> written(QueueId id, std::size_t bytes, const Result<void>& result);
  /// True where a content file was begun, which is to be removed.
  Result<bool> take(ChannelId channel, const spool_intake::Abandon& abandon);

  /// Pieces went ahead: the content of `message` is the last one, to be written behind them. In memory, and
  /// being written, until finished().
  struct Large {
    spool::AddMessage message;
  };
  struct Refused {
    mail::Reply reply;
    bool remove_file = false;
  };
  using Taken = std::variant<spool::AddMessage, Large, Refused>;
  Result<Taken> take(ChannelId channel, spool_intake::Commit&& commit);
  /// A notice, of which all content is to be written to a file: counted like a large message, until
  /// finished(). Temporary where there is no room for it.
  Result<void> take(const spool::AddMessage& notice);
  /// The content file of a large message, or of a notice, is there, or could not be.
  void finished(QueueId id);
  /// Forgets the channel with all that it sent; answers whose content files are to be removed.
  std::vector<QueueId> closed(ChannelId channel);

  /// What is held against max_buffered_bytes.
  [[nodiscard]] std::uint64_t buffered_bytes() const { return all_.bytes; }
  /// Content of messages that are not committed, in memory and in files.
  [[nodiscard]] std::uint64_t being_written() const { return being_written_; }

 private:
  /// A message whose pieces arrive. Once it is refused, its bytes are dropped as they come.
  struct Partial {
    ChannelId channel = 0;
    std::uint64_t received = 0;
    std::uint64_t taken = 0;  ///< of these, that are out of memory
    bool has_file = false;    ///< begun, and not to be removed
    mail::Reply refused;      ///< code 0: not refused
  };
  struct Intake {
    Intake();
    spool::IdSet leased;
    std::size_t partials = 0;
  };
  /// What a channel takes; also of one that is closed, until it is out of memory.
  struct Share {
    std::uint64_t bytes = 0;
    std::size_t files = 0;
  };
  /// What is in memory of a message with a content file.
  struct Buffered {
    ChannelId channel = 0;
    std::uint64_t bytes = 0;
    std::uint64_t file_bytes = 0;  ///< of all of the file, once it is being finished
  };

  Result<Intake*> intake_of(ChannelId channel, QueueId id);
  [[nodiscard]] mail::Reply refusal_of(const Partial& partial, std::size_t more) const;
  [[nodiscard]] bool has_room(ChannelId channel, std::uint64_t bytes, std::size_t files) const;
  bool give_up_file(Partial& partial);
  void begin_file(ChannelId channel);
  void buffer(ChannelId channel, QueueId id, std::uint64_t bytes);
  void finish(ChannelId channel, const spool::AddMessage& message, std::uint64_t file_bytes);
  void drop(ChannelId channel, const Share& share);

  IntakeLimits limits_;
  MayTake may_take_;
  std::map<ChannelId, Intake> intakes_;
  std::unordered_map<QueueId, Partial> partial_;
  std::unordered_map<QueueId, Buffered> buffered_;
  std::map<ChannelId, Share> shares_;
  Share all_;  ///< the sum of these
  std::uint64_t being_written_ = 0;
};

/// A time that a peer names, brought to where arithmetic with it is safe and means something: from 1970 on,
/// and not in the future.
WallTime not_later_than_now(WallTime named);

/// Whether an envelope is larger than the frames that must carry it to qmgr, agents and admin can be.
bool fits_in_frames(const mail::Envelope& envelope);

}  // namespace sternpost::spool_service

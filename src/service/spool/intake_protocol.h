// Channel between an intake compartment (smtpd) and spool.
//
// Trust: spool believes nothing that an intake says; it refuses a commit of an id that it did not lease to
// that channel. The intake believes spool. An intake that loses the channel asks IsCommitted on the next one
// for every commit that was not answered, and never commits again what is committed.
//
// Content that fits into one piece comes with its Commit alone. Longer content goes ahead in Piece frames,
// which spool writes to a content file of the message as they come; it says with Taken how far it is. Commit
// brings the last piece: the message joins the first group of commits after its content file is durable. What
// spool refuses before that (the disk is full) it drops as it comes, says Taken all the same, and answers at
// Commit.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "base/codec.h"
#include "base/queue_id.h"
#include "mail/envelope.h"
#include "mail/status.h"
#include "queue/pressure.h"

namespace sternpost::spool_intake {

/// The most content in one frame. Longer content goes ahead in Piece frames of exactly so many octets; Commit
/// carries the last piece.
inline constexpr std::size_t kPieceBytes = 64 * 1024;
/// Of one message, the most octets in Piece frames that spool has not said to have taken. An intake that
/// sends more breaks the protocol; the last piece, in Commit, does not count.
inline constexpr std::size_t kWindowBytes = 1024 * 1024;
/// The most bytes of one frame: a full piece beside an envelope of 10,000 recipients of 320 octets, and
/// slack.
inline constexpr std::size_t kMaxFrame = 4 * 1024 * 1024;
/// The most ids in one lease.
inline constexpr std::uint32_t kMaxLease = 1024;

struct Lease {
  std::uint32_t count = 0;
  static constexpr auto fields() { return std::tuple(&Lease::count); }
};

struct Piece {
  QueueId id;
  std::string bytes;
  static constexpr auto fields() { return std::tuple(&Piece::id, &Piece::bytes); }
};

/// Drops the pieces sent for a message that will not be committed.
struct Abandon {
  QueueId id;
  static constexpr auto fields() { return std::tuple(&Abandon::id); }
};

struct Commit {
  QueueId id;
  mail::Envelope envelope;
  std::string last_piece;
  bool held = false;  ///< commit it in the state *held*
  static constexpr auto fields() {
    return std::tuple(&Commit::id, &Commit::envelope, &Commit::last_piece, &Commit::held);
  }
};

struct IsCommitted {
  QueueId id;
  static constexpr auto fields() { return std::tuple(&IsCommitted::id); }
};

using ToSpool = std::variant<Lease, Piece, Abandon, Commit, IsCommitted>;

/// Ids first, first+1 … first+count-1 belong to this channel.
struct Leased {
  QueueId first;
  std::uint32_t count = 0;
  static constexpr auto fields() { return std::tuple(&Leased::first, &Leased::count); }
};

/// These messages are durable: the only licence for a 250.
struct Committed {
  std::vector<QueueId> ids;
  static constexpr auto fields() { return std::tuple(&Committed::ids); }
};

/// This message is not in the queue and will not be; `reply` (4xx or 5xx) says why.
struct NotCommitted {
  QueueId id;
  mail::Reply reply;
  static constexpr auto fields() { return std::tuple(&NotCommitted::id, &NotCommitted::reply); }
};

/// The answer to IsCommitted.
struct CommitState {
  QueueId id;
  bool committed = false;
  static constexpr auto fields() { return std::tuple(&CommitState::id, &CommitState::committed); }
};

/// How hard the queue is pressed: what an intake does about it is its own affair, within what PressureLevel
/// says.
struct Pressure {
  queue::PressureLevel level = queue::PressureLevel::none;
  std::string cause;
  static constexpr auto fields() { return std::tuple(&Pressure::level, &Pressure::cause); }
};

/// Of the Piece frames of this message so many octets in all have left spool's memory: they are written, or
/// dropped because the message is refused. Rises with each such frame, up to what was sent. May still come
/// for a message that was committed or abandoned meanwhile.
struct Taken {
  QueueId id;
  std::uint64_t bytes = 0;
  static constexpr auto fields() { return std::tuple(&Taken::id, &Taken::bytes); }
};

using FromSpool = std::variant<Leased, Committed, NotCommitted, CommitState, Pressure, Taken>;

}  // namespace sternpost::spool_intake

// A checkpoint: what a start would find out by reading all of the log, in a file. See
// docs/internals/spool.md.
//
// It is a cache: a start that finds none, or none that fits, reads all of the log. It is written while the
// spool works, piece by piece, so that the pieces are of different times. Each says which part of the log it
// covers; what comes behind that is read from the log and applied to it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/codec.h"
#include "base/queue_id.h"
#include "spool/id_set.h"
#include "spool/segment.h"

namespace sternpost::spool {

/// Which groups are covered: those of segments with a smaller generation, but for the newest segment of each
/// log, of which those before `end` are.
struct Coverage {
  std::uint64_t next_generation = 0;
  SegmentEnd incoming;  ///< generation 0: none
  SegmentEnd deferred;

  [[nodiscard]] bool covers(const SegmentHeader& segment, std::uint64_t offset) const;
  /// Groups may have followed in it.
  [[nodiscard]] bool is_newest(const SegmentHeader& segment) const;
  static constexpr auto fields() {
    return std::tuple(&Coverage::next_generation, &Coverage::incoming, &Coverage::deferred);
  }
};

/// A segment with records when the checkpoint was begun.
struct CoveredSegment {
  std::uint32_t slot = 0;
  std::uint64_t generation = 0;
  std::uint64_t end = 0;
  std::uint64_t next_sequence = 0;
  /// Of the block before `end` where groups may follow: it tells whether this is the log that was covered.
  std::uint64_t last_block = 0;

  static constexpr auto fields() {
    return std::tuple(&CoveredSegment::slot, &CoveredSegment::generation, &CoveredSegment::end,
                      &CoveredSegment::next_sequence, &CoveredSegment::last_block);
  }
};

/// The first piece.
struct CheckpointHead {
  std::uint64_t spool = 0;
  std::uint64_t id_mark = 0;
  Coverage coverage;  ///< when it was begun: where reading the log begins
  std::vector<CoveredSegment> segments;
  std::vector<IdSet::Run> committed;

  static constexpr auto fields() {
    return std::tuple(&CheckpointHead::spool, &CheckpointHead::id_mark, &CheckpointHead::coverage,
                      &CheckpointHead::segments, &CheckpointHead::committed);
  }
};

/// A message that was known: live, or finished and still to be found in the log.
struct CheckpointEntry {
  QueueId id;
  std::string message;            ///< PackedMessage::bytes(); empty where it is finished
  std::uint32_t certificate = 0;  ///< of a finished one
  std::uint32_t copy = 0;         ///< of a finished one
  std::vector<std::uint32_t> extra_copies;

  static constexpr auto fields() {
    return std::tuple(&CheckpointEntry::id, &CheckpointEntry::message, &CheckpointEntry::certificate,
                      &CheckpointEntry::copy, &CheckpointEntry::extra_copies);
  }
};

/// The other pieces: entries by rising id, through all of them.
struct CheckpointPiece {
  Coverage coverage;
  std::vector<CheckpointEntry> entries;

  static constexpr auto fields() { return std::tuple(&CheckpointPiece::coverage, &CheckpointPiece::entries); }
};

/// The first block of the file, written last of all: without it there is no checkpoint.
struct CheckpointSeal {
  std::uint64_t serial = 0;  ///< of two checkpoints the greater one is the newer one
  std::uint64_t bytes = 0;   ///< of the pieces, with their headers
  std::uint64_t pieces = 0;
  std::uint64_t last_log_sequence = 0;
  Coverage coverage;  ///< of the last piece
  /// The log may have gone on without it, so that no start begins with it any more. What it says of what was
  /// synced stays true. kSpentMagic says it.
  bool spent = false;

  static constexpr auto fields() {
    return std::tuple(&CheckpointSeal::serial, &CheckpointSeal::bytes, &CheckpointSeal::pieces,
                      &CheckpointSeal::last_log_sequence, &CheckpointSeal::coverage);
  }
};

/// Two files that take turns, in the main folder.
inline constexpr std::array<std::string_view, 2> kCheckpointNames{"checkpoint-0", "checkpoint-1"};
inline constexpr std::size_t kPieceHeaderBytes = 8 + 8;

/// At the start of the file, it makes the checkpoint *spent*, whatever else is known of it: the checksum of
/// its seal is computed with the first magic in either case.
inline constexpr std::string_view kSpentMagic = "STERNEND";

/// Of one that is not spent.
std::string encode_checkpoint_seal(const CheckpointSeal& seal);
/// Nothing for anything else, also of another version.
std::optional<CheckpointSeal> decode_checkpoint_seal(std::string_view block);

/// A piece as it is written: its header and `body`. `serial` and `number` make it one of this checkpoint
/// alone.
std::string frame_piece(std::string_view body, std::uint64_t serial, std::uint64_t number);
/// The body of the piece at the start of `bytes`, and nothing where it is not whole.
std::optional<std::string_view> unframe_piece(std::string_view bytes, std::uint64_t serial,
                                              std::uint64_t number);
/// The bytes of the body, from a header that may be damaged.
std::uint64_t piece_bytes(std::string_view header);

}  // namespace sternpost::spool

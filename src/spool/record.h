// The five records of the log, and how one is written and read. See docs/internals/spool.md.
//
// A record is a header of fixed size, a head (encoded by base/codec.h) and, for a message, its content.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/codec.h"
#include "base/queue_id.h"
#include "mail/outcome.h"
#include "spool/message_state.h"
#include "spool/segment.h"

namespace sternpost::spool {

enum class RecordType : unsigned char {
  message,    ///< MessageHead and content; supersedes every earlier record of its id
  envelope,   ///< FullState; supersedes everything earlier but the content
  outcome,    ///< OutcomeHead
  dead_list,  ///< DeadList; its id is zero
  mark,       ///< Mark
};

/// Where the content of a message is.
enum class ContentKind : unsigned char {
  inline_bytes,  ///< behind the head
  file,          ///< in a file of its own: a ContentFile stands behind the head
};

enum class MarkKind : unsigned char {
  hold,
  release,
  closed,  ///< no group follows in this segment; its id is zero
};

// These numbers are on disks.
static_assert(static_cast<unsigned>(RecordType::message) == 0 &&
              static_cast<unsigned>(RecordType::envelope) == 1 &&
              static_cast<unsigned>(RecordType::outcome) == 2 &&
              static_cast<unsigned>(RecordType::dead_list) == 3 &&
              static_cast<unsigned>(RecordType::mark) == 4);
static_assert(static_cast<unsigned>(ContentKind::inline_bytes) == 0 &&
              static_cast<unsigned>(ContentKind::file) == 1);
static_assert(static_cast<unsigned>(MarkKind::hold) == 0 && static_cast<unsigned>(MarkKind::release) == 1 &&
              static_cast<unsigned>(MarkKind::closed) == 2);
static_assert(static_cast<unsigned>(mail::Disposition::delivered) == 0 &&
              static_cast<unsigned>(mail::Disposition::failed) == 1 &&
              static_cast<unsigned>(mail::Disposition::deferred) == 2 &&
              static_cast<unsigned>(mail::Disposition::deleted) == 3 &&
              static_cast<unsigned>(mail::Disposition::bounced) == 4);

}  // namespace sternpost::spool

namespace sternpost {
template <>
inline constexpr unsigned kEnumBound<spool::RecordType> = 5;
template <>
inline constexpr unsigned kEnumBound<spool::ContentKind> = 2;
template <>
inline constexpr unsigned kEnumBound<spool::MarkKind> = 3;
}  // namespace sternpost

namespace sternpost::spool {

/// Everything about a message but its content. The envelope stands last, so that in a message record its
/// bytes and those of the content are contiguous.
struct FullState {
  bool held = false;
  bool warned = false;
  std::uint32_t recipients = 0;
  std::vector<Attempted> attempted;
  std::string envelope;  ///< encode(mail::Envelope)

  static constexpr auto fields() {
    return std::tuple(&FullState::held, &FullState::warned, &FullState::recipients, &FullState::attempted,
                      &FullState::envelope);
  }
};

/// A Settlement, and whether all recipients of that message are settled by it: then this record alone proves
/// that the message is finished. Only the first record of a notice has one; copies of it need none.
struct Settles {
  Settlement settlement;
  bool finishes = false;

  static constexpr auto fields() { return std::tuple(&Settles::settlement, &Settles::finishes); }
};

struct MessageHead {
  ContentKind kind = ContentKind::inline_bytes;
  std::optional<Settles> settles;
  FullState state;
  static constexpr auto fields() {
    return std::tuple(&MessageHead::kind, &MessageHead::settles, &MessageHead::state);
  }
};

/// Where the content of a message record is; reads no more of the head than that. Inside for what is
/// malformed.
ContentKind content_kind_of(std::string_view message_head);

/// What the record of a message settles besides; reads no more of the head than that.
std::optional<Settles> settles_of(std::string_view message_head);

struct OutcomeHead {
  std::vector<mail::RecipientOutcome> outcomes;
  bool finishes = false;  ///< all recipients are settled: it alone proves that the message is finished
  static constexpr auto fields() { return std::tuple(&OutcomeHead::outcomes, &OutcomeHead::finishes); }
};

/// These messages are finished, although this segment still holds a message record of each.
struct DeadList {
  std::uint32_t slot = 0;
  std::uint64_t generation = 0;
  std::vector<QueueId> ids;
  static constexpr auto fields() {
    return std::tuple(&DeadList::slot, &DeadList::generation, &DeadList::ids);
  }
};

struct Mark {
  MarkKind kind = MarkKind::hold;
  static constexpr auto fields() { return std::tuple(&Mark::kind); }
};

struct RecordHeader {
  std::uint64_t checksum = 0;  ///< of the rest of the header and the head
  RecordType type = RecordType::message;
  std::uint32_t head_bytes = 0;
  std::uint32_t content_bytes = 0;
  QueueId id;
  std::uint32_t slot = 0;
  std::uint64_t generation = 0;
  std::uint64_t content_checksum = 0;

  static constexpr auto fields() {
    return std::tuple(&RecordHeader::checksum, &RecordHeader::type, &RecordHeader::head_bytes,
                      &RecordHeader::content_bytes, &RecordHeader::id, &RecordHeader::slot,
                      &RecordHeader::generation, &RecordHeader::content_checksum);
  }
};

inline constexpr std::size_t kRecordHeaderBytes = 8 + 1 + 4 + 4 + 8 + 4 + 8 + 8;

/// A record in memory; the views are into the bytes that were parsed.
struct RecordView {
  RecordHeader header;
  std::uint64_t offset = 0;  ///< in the segment
  std::string_view head;
  std::string_view content;

  [[nodiscard]] std::uint64_t bytes() const { return kRecordHeaderBytes + head.size() + content.size(); }
};

enum class RecordFault : unsigned char {
  none,
  body,  ///< the header is plausible, the bytes are not those that were written; `view` says which they were
  header,  ///< where the next record starts is not known either
};

/// Reads the record at the start of `bytes`. Offset is left to the caller.
RecordFault parse_record(std::string_view bytes, const SegmentIdentity& identity, RecordView& view);

/// Reads header and head of a record without its content, for those who know their lengths. False where
/// damaged.
bool parse_head(std::string_view bytes, const SegmentIdentity& identity, RecordView& view);

/// Completes the record whose header and head start at `at` in `buffer`: header fields that depend on the
/// segment, and checksums.
void finish_record(std::string& buffer, std::size_t at, RecordHeader& header, std::string_view content,
                   const SegmentIdentity& identity);

}  // namespace sternpost::spool

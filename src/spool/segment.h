// A segment: a file of fixed size and name whose first block says what it is now. See
// docs/internals/spool.md.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "base/codec.h"

namespace sternpost::spool {

/// Groups start at multiples of this, and no write touches a block that holds acknowledged bytes.
inline constexpr std::uint64_t kBlock = 4096;

constexpr std::uint64_t round_up_to_block(std::uint64_t n) {
  return (n + kBlock - 1) / kBlock * kBlock;
}

/// The two logs of a spool, which share its segments.
enum class Stream : unsigned char {
  incoming,  ///< all that is committed
  deferred,  ///< what was still needed when its segment was recycled: mail that stays
};
inline constexpr std::array kStreams{Stream::incoming, Stream::deferred};

enum class SegmentRole : unsigned char {
  spare,  ///< holds no records, whatever its bytes look like
  incoming,
  deferred,
};
static_assert(static_cast<unsigned>(SegmentRole::spare) == 0 &&
              static_cast<unsigned>(SegmentRole::incoming) == 1 &&
              static_cast<unsigned>(SegmentRole::deferred) == 2);

constexpr SegmentRole role_in(Stream stream) {
  return stream == Stream::incoming ? SegmentRole::incoming : SegmentRole::deferred;
}
/// The log that a segment which is no spare belongs to.
constexpr Stream stream_of(SegmentRole role) {
  return role == SegmentRole::deferred ? Stream::deferred : Stream::incoming;
}

/// Where an earlier segment of the same log ends; nothing behind `end` was ever acknowledged. Generation 0:
/// none.
struct SegmentEnd {
  std::uint32_t slot = 0;
  std::uint64_t generation = 0;
  std::uint64_t end = 0;

  bool operator==(const SegmentEnd&) const = default;
  static constexpr auto fields() {
    return std::tuple(&SegmentEnd::slot, &SegmentEnd::generation, &SegmentEnd::end);
  }
};

/// Written while no header could be read that says which spool this is.
inline constexpr std::uint64_t kAnySpool = 0;

struct SegmentHeader {
  std::uint32_t slot = 0;
  std::uint64_t generation = 0;  ///< rises with every header written to any segment
  std::uint64_t segment_bytes = 0;
  SegmentRole role = SegmentRole::spare;
  /// Random: what a message says cannot look like a group or record of this generation, even on purpose.
  std::uint64_t salt = 0;
  std::uint64_t id_mark = 0;  ///< every queue id in use is smaller
  SegmentEnd previous;
  std::uint64_t spool = 0;  ///< which one it belongs to: random, the same in all; or kAnySpool
  /// So many segments, from slot 0 on, had durable names: one of them that is gone is missed.
  std::uint32_t segments = 0;

  bool operator==(const SegmentHeader&) const = default;
  static constexpr auto fields() {
    return std::tuple(&SegmentHeader::slot, &SegmentHeader::generation, &SegmentHeader::segment_bytes,
                      &SegmentHeader::role, &SegmentHeader::salt, &SegmentHeader::id_mark,
                      &SegmentHeader::previous, &SegmentHeader::spool, &SegmentHeader::segments);
  }
};

/// What the headers of groups and records of a segment are held against.
struct SegmentIdentity {
  std::uint32_t slot = 0;
  std::uint64_t generation = 0;
  std::uint64_t seed = 0;  ///< of every checksum in the segment

  explicit SegmentIdentity(const SegmentHeader& header);
};

/// One block. All that matters lies in its first 512 bytes, which disks write whole.
std::string encode_segment_header(const SegmentHeader& header);

enum class HeaderFault : unsigned char {
  blank,          ///< zeroes: the file was being prepared
  damaged,        ///< not a header that was ever written
  other_version,  ///< of a newer or older Sternpost
};

/// The header, or what is in its place. `block` has kBlock bytes.
std::optional<SegmentHeader> decode_segment_header(std::string_view block, HeaderFault& fault);

/// More than there are at a time: those of both logs at their largest. A number beyond it is none of ours.
inline constexpr std::uint32_t kMaxSlots = 65'536;

/// "segment-0007"
std::string segment_name(std::uint32_t slot);
/// The inverse; nothing for any other name.
std::optional<std::uint32_t> parse_segment_name(std::string_view name);

}  // namespace sternpost::spool

namespace sternpost {
template <>
inline constexpr unsigned kEnumBound<spool::SegmentRole> = 3;
}

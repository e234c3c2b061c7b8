// A segment: a file of fixed size and name whose first block says what it is now. See
// docs/internals/spool.md.
#pragma once

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

enum class SegmentRole : unsigned char {
  spare,  ///< holds no records, whatever its bytes look like
  log,
};
static_assert(static_cast<unsigned>(SegmentRole::spare) == 0 && static_cast<unsigned>(SegmentRole::log) == 1);

/// Where the log of an earlier segment ends; nothing behind `end` was ever acknowledged. Generation 0: none.
struct SegmentEnd {
  std::uint32_t slot = 0;
  std::uint64_t generation = 0;
  std::uint64_t end = 0;

  bool operator==(const SegmentEnd&) const = default;
  static constexpr auto fields() {
    return std::tuple(&SegmentEnd::slot, &SegmentEnd::generation, &SegmentEnd::end);
  }
};

struct SegmentHeader {
  std::uint32_t slot = 0;
  std::uint64_t generation = 0;  ///< rises with every header written to any segment
  std::uint64_t segment_bytes = 0;
  SegmentRole role = SegmentRole::spare;
  /// Random: what a message says cannot look like a group or record of this generation, even on purpose.
  std::uint64_t salt = 0;
  std::uint64_t id_mark = 0;  ///< every queue id in use is smaller
  SegmentEnd previous;

  bool operator==(const SegmentHeader&) const = default;
  static constexpr auto fields() {
    return std::tuple(&SegmentHeader::slot, &SegmentHeader::generation, &SegmentHeader::segment_bytes,
                      &SegmentHeader::role, &SegmentHeader::salt, &SegmentHeader::id_mark,
                      &SegmentHeader::previous);
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

/// "segment-0007"
std::string segment_name(std::uint32_t slot);
/// The inverse; nothing for any other name.
std::optional<std::uint32_t> parse_segment_name(std::string_view name);

}  // namespace sternpost::spool

namespace sternpost {
template <>
inline constexpr unsigned kEnumBound<spool::SegmentRole> = 2;
}

#include "spool/segment.h"

#include <fmt/format.h>

#include <charconv>

#include "base/checksum.h"

namespace sternpost::spool {
namespace {

constexpr std::string_view kMagic = "STERNSEG";
constexpr std::uint32_t kVersion = 3;
/// Which had no content files, and is the same otherwise.
constexpr std::uint32_t kOldestVersion = 2;
constexpr std::string_view kNamePrefix = "segment-";
constexpr std::uint64_t kHeaderSeed = 0;

/// The block up to its checksum.
struct Head {
  std::uint32_t version = kVersion;
  SegmentHeader header;
  static constexpr auto fields() { return std::tuple(&Head::version, &Head::header); }
};

}  // namespace

SegmentIdentity::SegmentIdentity(const SegmentHeader& header)
    : slot(header.slot), generation(header.generation) {
  std::string bytes;
  Encoder(bytes).put(slot);
  Encoder(bytes).put(generation);
  seed = checksum(bytes, header.salt);
}

std::string encode_segment_header(const SegmentHeader& header) {
  std::string block(kMagic);
  Encoder(block).put(Head{kVersion, header});
  const auto sum = checksum(block, kHeaderSeed);
  Encoder(block).put(sum);
  block.resize(kBlock);
  return block;
}

std::optional<SegmentHeader> decode_segment_header(std::string_view block, HeaderFault& fault) {
  fault = HeaderFault::blank;
  if (block.find_first_not_of('\0') == std::string_view::npos) return {};
  fault = HeaderFault::damaged;
  if (!block.starts_with(kMagic)) return {};
  Decoder decoder(block.substr(kMagic.size()));
  Head head;
  if (!decoder.get(head.version)) return {};
  if (head.version < kOldestVersion || head.version > kVersion) {
    fault = HeaderFault::other_version;
    return {};
  }
  if (!decoder.get(head.header)) return {};
  const auto covered = block.substr(0, block.size() - decoder.rest().size());
  std::uint64_t sum = 0;
  if (!decoder.get(sum) || sum != checksum(covered, kHeaderSeed)) return {};
  if (head.header.segments > kMaxSlots) return {};
  return head.header;
}

std::string segment_name(std::uint32_t slot) {
  return fmt::format("{}{:04}", kNamePrefix, slot);
}

std::optional<std::uint32_t> parse_segment_name(std::string_view name) {
  if (!name.starts_with(kNamePrefix)) return {};
  const auto digits = name.substr(kNamePrefix.size());
  std::uint32_t slot = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), slot);
  if (error != std::errc() || slot >= kMaxSlots || segment_name(slot) != name) return {};
  return slot;
}

}  // namespace sternpost::spool

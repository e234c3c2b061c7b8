#include "spool/checkpoint.h"

#include "base/checksum.h"

namespace sternpost::spool {
namespace {

constexpr std::string_view kMagic = "STERNCHK";
static_assert(kMagic.size() == kSpentMagic.size());
constexpr std::uint32_t kVersion = 1;
constexpr std::uint64_t kSealSeed = 0;

std::uint64_t seed_of(std::uint64_t serial, std::uint64_t number) {
  std::string bytes;
  Encoder(bytes).put(serial);
  Encoder(bytes).put(number);
  return checksum(bytes, kVersion);
}

}  // namespace

bool Coverage::covers(const SegmentHeader& segment, std::uint64_t offset) const {
  if (segment.generation >= next_generation) return false;
  for (const auto& tail : {incoming, deferred}) {
    if (tail.generation == segment.generation && tail.slot == segment.slot) return offset < tail.end;
  }
  return true;
}

bool Coverage::is_newest(const SegmentHeader& segment) const {
  return segment.generation == incoming.generation || segment.generation == deferred.generation;
}

std::string encode_checkpoint_seal(const CheckpointSeal& seal) {
  std::string block(kMagic);
  Encoder(block).put(kVersion);
  Encoder(block).put(seal);
  const auto sum = checksum(block, kSealSeed);
  Encoder(block).put(sum);
  block.resize(kBlock);
  return block;
}

std::optional<CheckpointSeal> decode_checkpoint_seal(std::string_view block) {
  CheckpointSeal seal;
  seal.spent = block.starts_with(kSpentMagic);
  if (!seal.spent && !block.starts_with(kMagic)) return std::nullopt;
  Decoder decoder(block.substr(kMagic.size()));
  std::uint32_t version = 0;
  if (!decoder.get(version) || version != kVersion || !decoder.get(seal)) return std::nullopt;
  std::string covered(block.substr(0, block.size() - decoder.rest().size()));
  covered.replace(0, kMagic.size(), kMagic);
  std::uint64_t sum = 0;
  if (!decoder.get(sum) || sum != checksum(covered, kSealSeed)) return std::nullopt;
  return seal;
}

std::string frame_piece(std::string_view body, std::uint64_t serial, std::uint64_t number) {
  std::string piece;
  piece.reserve(kPieceHeaderBytes + body.size());
  Encoder(piece).put(checksum(body, seed_of(serial, number)));
  Encoder(piece).put(static_cast<std::uint64_t>(body.size()));
  return piece.append(body);
}

std::uint64_t piece_bytes(std::string_view header) {
  std::uint64_t sum = 0;
  std::uint64_t size = 0;
  Decoder decoder(header);
  return decoder.get(sum) && decoder.get(size) ? size : 0;
}

std::optional<std::string_view> unframe_piece(std::string_view bytes, std::uint64_t serial,
                                              std::uint64_t number) {
  Decoder decoder(bytes);
  std::uint64_t sum = 0;
  std::uint64_t size = 0;
  if (!decoder.get(sum) || !decoder.get(size) || size > decoder.rest().size()) return std::nullopt;
  const auto body = decoder.rest().substr(0, size);
  if (sum != checksum(body, seed_of(serial, number))) return std::nullopt;
  return body;
}

}  // namespace sternpost::spool

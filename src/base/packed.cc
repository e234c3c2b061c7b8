#include "base/packed.h"

#include <algorithm>

namespace sternpost {
namespace {

constexpr unsigned kMore = 0x80;
constexpr unsigned kBitsOfByte = 7;
constexpr unsigned kBitsOfNumber = 64;

}  // namespace

void PackedWriter::number(std::uint64_t value) {
  for (; value >= kMore; value >>= kBitsOfByte) octet(kMore | static_cast<unsigned>(value & (kMore - 1)));
  octet(static_cast<unsigned>(value));
}

void PackedWriter::step(std::uint64_t from, std::uint64_t to) {
  const auto difference = static_cast<std::int64_t>(to - from);
  number((static_cast<std::uint64_t>(difference) << 1U) ^ static_cast<std::uint64_t>(difference >> 63));
}

void PackedWriter::text(std::string_view text) {
  number(text.size());
  bytes_.insert(bytes_.end(), text.begin(), text.end());
}

std::unique_ptr<const char[]> PackedWriter::block() const {
  auto block = std::make_unique_for_overwrite<char[]>(bytes_.size());
  std::ranges::copy(bytes_, block.get());
  return block;
}

unsigned PackedReader::octet() {
  if (left_ == 0) {
    failed_ = true;
    return 0;
  }
  --left_;
  return static_cast<unsigned char>(*at_++);
}

std::uint64_t PackedReader::number() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < kBitsOfNumber; shift += kBitsOfByte) {
    const auto byte = octet();
    value |= static_cast<std::uint64_t>(byte & (kMore - 1)) << shift;
    if (byte < kMore) return failed_ ? 0 : value;
  }
  failed_ = true;
  return 0;
}

std::uint64_t PackedReader::step(std::uint64_t from) {
  const auto written = number();
  return from + ((written >> 1U) ^ (0 - (written & 1U)));
}

std::size_t PackedReader::count() {
  const auto count = number();
  if (count <= left_) return count;
  failed_ = true;
  return 0;
}

void PackedReader::text(std::string& text) {
  const auto size = count();
  text.assign(at_, size);
  at_ += size;
  left_ -= size;
}

}  // namespace sternpost

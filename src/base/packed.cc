#include "base/packed.h"

#include <array>
#include <cstring>

namespace sternpost {

using packed_detail::kBitsOfOctet;
using packed_detail::kMore;

namespace {

constexpr unsigned kBitsOfNumber = 64;

}  // namespace

void PackedWriter::step(std::uint64_t from, std::uint64_t to) {
  const auto difference = static_cast<std::int64_t>(to - from);
  number((static_cast<std::uint64_t>(difference) << 1U) ^ static_cast<std::uint64_t>(difference >> 63));
}

void PackedWriter::text(std::string_view text) {
  number(text.size());
  text.copy(room(text.size()), text.size());
  size_ += text.size();
}

std::unique_ptr<const char[]> PackedWriter::block() const {
  auto block = std::make_unique_for_overwrite<char[]>(size_);
  std::memcpy(block.get(), bytes_.data(), size_);
  return block;
}

std::unique_ptr<const char[]> PackedWriter::counted_block() const {
  std::array<char, kMostOfNumber> count;
  const auto count_bytes = static_cast<std::size_t>(write_number(count.data(), size_) - count.data());
  auto block = std::make_unique_for_overwrite<char[]>(count_bytes + size_);
  std::memcpy(block.get(), count.data(), count_bytes);
  std::memcpy(block.get() + count_bytes, bytes_.data(), size_);
  return block;
}

PackedReader PackedReader::of_counted(const char* block) {
  auto in = of_own(block);
  in.left_ = in.number();
  return in;
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
  for (unsigned shift = 0; shift < kBitsOfNumber; shift += kBitsOfOctet) {
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

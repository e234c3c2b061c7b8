// Values in as few bytes as they take, for what is kept by the million: integers of variable length, seven
// bits a byte, least significant first (LEB128).
#pragma once

#include <boost/container/small_vector.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

namespace sternpost {

namespace packed_detail {
inline constexpr unsigned kMore = 0x80;  ///< of an octet that another one follows
inline constexpr unsigned kBitsOfOctet = 7;
}  // namespace packed_detail

class PackedWriter {
 public:
  PackedWriter() : bytes_(kUsual, boost::container::default_init) {}

  void octet(unsigned value) {
    *room(1) = static_cast<char>(value);
    ++size_;
  }
  void number(std::uint64_t value) {
    auto* const to = room(kMostOfNumber);
    size_ += static_cast<std::size_t>(write_number(to, value) - to);
  }
  /// From one number to another that is near it, in either direction. Wraps, so that all values are good.
  void step(std::uint64_t from, std::uint64_t to);
  void text(std::string_view text);

  /// What was written, and no byte more.
  [[nodiscard]] std::unique_ptr<const char[]> block() const;
  /// The same behind the number of its bytes.
  [[nodiscard]] std::unique_ptr<const char[]> counted_block() const;
  [[nodiscard]] std::string take() const { return {bytes_.data(), size_}; }

 private:
  static constexpr std::size_t kUsual = 128;
  static constexpr std::size_t kMostOfNumber = 10;

  static char* write_number(char* to, std::uint64_t value) {
    using namespace packed_detail;
    for (; value >= kMore; value >>= kBitsOfOctet) *to++ = static_cast<char>(kMore | (value & (kMore - 1)));
    *to++ = static_cast<char>(value);
    return to;
  }
  /// Where so many bytes more may be written.
  char* room(std::size_t bytes) {
    if (bytes_.size() - size_ < bytes) bytes_.resize(2 * (size_ + bytes), boost::container::default_init);
    return bytes_.data() + size_;
  }

  boost::container::small_vector<char, kUsual> bytes_;  ///< more than is used
  std::size_t size_ = 0;
};

/// What a file says needs bounds, and failed() tells of a breach: what is read then is zero or empty. A block
/// of our own memory ends where its reader knows.
class PackedReader {
 public:
  explicit PackedReader(std::string_view bytes) : PackedReader(bytes.data(), bytes.size()) {}
  static PackedReader of_own(const char* block) { return {block, std::numeric_limits<std::size_t>::max()}; }
  /// Of what a counted_block() has.
  static PackedReader of_counted(const char* block);

  unsigned octet();
  std::uint64_t number();
  /// The same into a smaller integer, which had this type when it was written.
  template <class Integer>
  void number(Integer& value) {
    value = static_cast<Integer>(number());
  }
  std::uint64_t step(std::uint64_t from);
  /// A number of things that follow, each of a byte at least.
  std::size_t count();
  void text(std::string& text);

  [[nodiscard]] const char* at() const { return at_; }
  [[nodiscard]] std::size_t left() const { return left_; }
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  PackedReader(const char* at, std::size_t left) : at_(at), left_(left) {}

  const char* at_;
  std::size_t left_;
  bool failed_ = false;
};

}  // namespace sternpost

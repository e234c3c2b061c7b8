// One binary codec for everything that crosses a process or a disk: frames, slices, records.
//
// A struct lists its members once, `static constexpr auto fields() { return std::tuple(&T::a, &T::b); }`, and
// encode, decode and fingerprint follow from the list. Integers are little-endian and of fixed width; strings
// and sequences are preceded by a 32-bit count; a variant by the index of its alternative, one byte.
//
// Decoding trusts nothing: a count is checked against the bytes that are left, an enumerator against
// kEnumBound, trailing bytes are an error, and a failed decode leaves no partial value behind.
// Nesting is that of the types, so it is bounded by the program and not by the input.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <variant>
#include <vector>

namespace sternpost {

/// The number of enumerators of E, which must be 0, 1, 2 …; specialise it beside each enum that is encoded.
template <class E>
inline constexpr unsigned kEnumBound = 0;

class Encoder {
 public:
  explicit Encoder(std::string& out) : out_(out) {}

  template <class T>
  void put(const T& value);

 private:
  std::string& out_;
};

class Decoder {
 public:
  explicit Decoder(std::string_view in) : rest_(in) {}

  /// False when the input does not hold a T; the decoder is then of no further use.
  template <class T>
  [[nodiscard]] bool get(T& value);

  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] std::string_view rest() const { return rest_; }

 private:
  template <std::integral I>
  bool get_integer(I& value) {
    if (rest_.size() < sizeof(I)) return false;
    std::memcpy(&value, rest_.data(), sizeof(I));
    rest_.remove_prefix(sizeof(I));
    return true;
  }

  bool get_string(std::string& value) {
    std::uint32_t size = 0;
    if (!get_integer(size) || size > rest_.size()) return false;
    value.assign(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return true;
  }

  std::string_view rest_;
};

namespace codec_detail {

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVariant : std::false_type {};
template <class... T>
struct IsVariant<std::variant<T...>> : std::true_type {};

/// A type whose invariant only its parser can establish: text out, text in or nothing. write_wire() writes
/// wire_size() bytes and returns their end.
template <class T>
concept Parsed = requires(const T& value, std::string_view text, char* to) {
  { value.wire_size() } -> std::same_as<std::size_t>;
  { value.write_wire(to) } -> std::same_as<char*>;
  { T::from_wire(text) } -> std::same_as<std::optional<T>>;
};

template <class T>
concept Fielded = requires { T::fields(); };

/// What a walk() over a value goes to: first it counts the bytes, then it writes them where there is room for
/// so many.
class ByteCounter {
 public:
  void bytes(const void*, std::size_t size) { count_ += size; }
  template <Parsed T>
  void wire(const T& value) {
    count_ += sizeof(std::uint32_t) + value.wire_size();
  }
  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  std::size_t count_ = 0;
};

class ByteWriter {
 public:
  explicit ByteWriter(char* to) : to_(to) {}

  void bytes(const void* from, std::size_t size) {
    std::memcpy(to_, from, size);
    to_ += size;
  }
  /// As a string of what write_wire() writes.
  template <Parsed T>
  void wire(const T& value) {
    auto* const text = to_ + sizeof(std::uint32_t);
    auto* const end = value.write_wire(text);
    const auto size = static_cast<std::uint32_t>(end - text);
    bytes(&size, sizeof size);
    to_ = end;
  }

 private:
  char* to_;
};

template <class Out, std::integral I>
void walk_integer(Out& out, I value) {
  out.bytes(&value, sizeof(I));
}

template <class Out>
void walk_size(Out& out, std::size_t size) {
  walk_integer(out, static_cast<std::uint32_t>(size));
}

template <class Out, class T>
void walk(Out& out, const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    walk_integer(out, static_cast<std::uint8_t>(value));
  } else if constexpr (std::is_enum_v<T>) {
    static_assert(kEnumBound<T> > 0, "specialise kEnumBound for this enum");
    walk_integer(out, static_cast<std::uint8_t>(value));
  } else if constexpr (std::is_integral_v<T>) {
    walk_integer(out, value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    walk_size(out, value.size());
    out.bytes(value.data(), value.size());
  } else if constexpr (IsVector<T>::value) {
    walk_size(out, value.size());
    for (const auto& element : value) walk(out, element);
  } else if constexpr (IsOptional<T>::value) {
    walk_integer(out, static_cast<std::uint8_t>(value.has_value()));
    if (value) walk(out, *value);
  } else if constexpr (IsVariant<T>::value) {
    walk_integer(out, static_cast<std::uint8_t>(value.index()));
    std::visit([&out](const auto& alternative) { walk(out, alternative); }, value);
  } else if constexpr (Parsed<T>) {
    out.wire(value);
  } else {
    static_assert(Fielded<T>, "give this type a fields() list");
    std::apply([&](auto... member) { (walk(out, value.*member), ...); }, T::fields());
  }
}

template <class V, std::size_t I = 0>
bool get_alternative(Decoder& in, std::size_t index, V& value) {
  if constexpr (I == std::variant_size_v<V>) {
    return false;
  } else {
    if (index != I) return get_alternative<V, I + 1>(in, index, value);
    return in.get(value.template emplace<I>());
  }
}

constexpr std::uint64_t mix(std::uint64_t state, std::uint64_t value) {
  return (state ^ value) * 0x0000'0100'0000'01B3ULL + 0x9E37'79B9'7F4A'7C15ULL;
}

}  // namespace codec_detail

template <class T>
void Encoder::put(const T& value) {
  codec_detail::ByteCounter counter;
  codec_detail::walk(counter, value);
  const auto before = out_.size();
  const auto after = before + counter.count();
  // Not the size that the operation is given: libstdc++ 12 gives it the capacity.
  out_.resize_and_overwrite(after, [&](char* to, std::size_t) {
    codec_detail::ByteWriter writer(to + before);
    codec_detail::walk(writer, value);
    return after;
  });
}

template <class T>
bool Decoder::get(T& value) {
  using namespace codec_detail;
  if constexpr (std::is_same_v<T, bool>) {
    std::uint8_t byte = 0;
    if (!get_integer(byte) || byte > 1) return false;
    value = byte == 1;
    return true;
  } else if constexpr (std::is_enum_v<T>) {
    static_assert(kEnumBound<T> > 0, "specialise kEnumBound for this enum");
    std::uint8_t byte = 0;
    if (!get_integer(byte) || byte >= kEnumBound<T>) return false;
    value = static_cast<T>(byte);
    return true;
  } else if constexpr (std::is_integral_v<T>) {
    return get_integer(value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return get_string(value);
  } else if constexpr (IsVector<T>::value) {
    std::uint32_t count = 0;
    if (!get_integer(count) || count > rest_.size()) return false;  // an element takes at least a byte
    value.clear();
    for (; count > 0; --count) {
      if (!get(value.emplace_back())) return false;
    }
    return true;
  } else if constexpr (IsOptional<T>::value) {
    bool present = false;
    if (!get(present)) return false;
    if (!present) {
      value.reset();
      return true;
    }
    return get(value.emplace());
  } else if constexpr (IsVariant<T>::value) {
    std::uint8_t index = 0;
    return get_integer(index) && get_alternative(*this, index, value);
  } else if constexpr (Parsed<T>) {
    std::string text;
    if (!get_string(text)) return false;
    auto parsed = T::from_wire(text);
    if (!parsed) return false;
    value = std::move(*parsed);
    return true;
  } else {
    static_assert(Fielded<T>, "give this type a fields() list");
    return std::apply([&](auto... member) { return (get(value.*member) && ...); }, T::fields());
  }
}

template <class T>
std::string encode(const T& value) {
  std::string out;
  Encoder(out).put(value);
  return out;
}

/// Puts the value over the bytes at `at`; there must be as many as it takes.
template <class T>
void overwrite(std::string& out, std::size_t at, const T& value) {
  codec_detail::ByteWriter writer(out.data() + at);
  codec_detail::walk(writer, value);
}

/// The value that `in` holds, all of it; nothing where it is malformed, cut short or followed by more.
template <class T>
[[nodiscard]] std::optional<T> decode(std::string_view in) {
  std::optional<T> value(std::in_place);
  Decoder decoder(in);
  if (!decoder.get(*value) || !decoder.at_end()) value.reset();
  return value;
}

/// A number that changes when the shape of T changes: the version of a protocol, kept by nobody's memory.
template <class T>
consteval std::uint64_t fingerprint() {
  using namespace codec_detail;
  if constexpr (std::is_enum_v<T>) {
    return mix(1, kEnumBound<T>);
  } else if constexpr (std::is_integral_v<T>) {
    return mix(2, sizeof(T) * 2 + std::is_signed_v<T>);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return 3;
  } else if constexpr (IsVector<T>::value) {
    return mix(4, fingerprint<typename T::value_type>());
  } else if constexpr (IsOptional<T>::value) {
    return mix(5, fingerprint<typename T::value_type>());
  } else if constexpr (IsVariant<T>::value) {
    return []<class... A>(std::variant<A...>*) {
      std::uint64_t state = 6;
      ((state = mix(state, fingerprint<A>())), ...);
      return state;
    }(static_cast<T*>(nullptr));
  } else if constexpr (Parsed<T>) {
    return 7;
  } else {
    std::uint64_t state = 8;
    auto add = [&]<class S, class M>(M S::*) { state = mix(state, fingerprint<M>()); };
    std::apply([&](auto... member) { (add(member), ...); }, T::fields());
    return state;
  }
}

}  // namespace sternpost

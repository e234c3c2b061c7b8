#include "base/codec.h"

#include <gtest/gtest.h>

namespace sternpost {
namespace {

enum class Colour : unsigned char { red, green };

struct Inner {
  std::string name;
  std::optional<std::uint32_t> size;
  bool operator==(const Inner&) const = default;
  static constexpr auto fields() { return std::tuple(&Inner::name, &Inner::size); }
};

struct Other {
  std::int64_t value = 0;
  bool operator==(const Other&) const = default;
  static constexpr auto fields() { return std::tuple(&Other::value); }
};

struct Outer {
  std::vector<Inner> inners;
  bool flag = false;
  Colour colour = Colour::red;
  std::variant<Inner, Other> choice;
  bool operator==(const Outer&) const = default;
  static constexpr auto fields() {
    return std::tuple(&Outer::inners, &Outer::flag, &Outer::colour, &Outer::choice);
  }
};

}  // namespace

template <>
inline constexpr unsigned kEnumBound<Colour> = 2;

namespace {

Outer example() {
  return {{{"a", 7U}, {"", {}}}, true, Colour::green, Other{-3}};
}

TEST(codec, returns_what_was_put_in) {
  EXPECT_EQ(decode<Outer>(encode(example())), example());
}

TEST(codec, puts_as_many_bytes_as_a_value_takes_however_the_string_grows) {
  std::string out;
  for (std::size_t size = 0; size < 200; ++size) {
    const auto before = out.size();
    Encoder(out).put(std::string(size, 'x'));
    ASSERT_EQ(out.size(), before + 4 + size);
    EXPECT_EQ(encode(std::string(size, 'x')).size(), 4 + size);
  }
}

TEST(codec, refuses_every_truncation) {
  const auto whole = encode(example());
  for (std::size_t n = 0; n < whole.size(); ++n) {
    EXPECT_FALSE(decode<Outer>(std::string_view(whole).substr(0, n))) << n;
  }
}

TEST(codec, refuses_trailing_bytes) {
  EXPECT_FALSE(decode<Outer>(encode(example()) + "x"));
}

TEST(codec, refuses_counts_beyond_the_input) {
  EXPECT_FALSE(decode<std::vector<Inner>>(std::string("\xff\xff\xff\xff", 4)));
  EXPECT_FALSE(decode<std::string>(std::string("\x02\x00\x00\x00z", 5)));
}

TEST(codec, refuses_enumerators_booleans_and_alternatives_out_of_range) {
  EXPECT_FALSE(decode<Colour>(std::string("\x02", 1)));
  EXPECT_FALSE(decode<bool>(std::string("\x02", 1)));
  EXPECT_FALSE((decode<std::variant<Other>>(std::string("\x01", 1))));
}

/// A text in upper case.
class Loud {
 public:
  static std::optional<Loud> from_wire(std::string_view text) {
    Loud loud;
    loud.text_ = text;
    for (const char c : text) {
      if (c < 'A' || c > 'Z') return std::nullopt;
    }
    return loud;
  }
  [[nodiscard]] std::size_t wire_size() const { return text_.size(); }
  char* write_wire(char* to) const { return to + text_.copy(to, text_.size()); }
  bool operator==(const Loud&) const = default;

 private:
  std::string text_;
};

TEST(codec, a_parsed_type_is_a_string_that_its_parser_takes) {
  const std::vector<Loud> louds{*Loud::from_wire("AB"), *Loud::from_wire("")};
  EXPECT_EQ(encode(louds), encode(std::vector<std::string>{"AB", ""}));
  EXPECT_EQ(decode<std::vector<Loud>>(encode(louds)), louds);
  EXPECT_FALSE(decode<Loud>(encode(std::string("quiet"))));
}

TEST(codec, puts_behind_what_is_there_and_over_it) {
  std::string out = "before";
  Encoder(out).put(example());
  EXPECT_EQ(out, "before" + encode(example()));
  overwrite(out, 2, std::uint32_t{0x34333231});
  EXPECT_EQ(out, "be1234" + encode(example()));
}

TEST(codec, fingerprint_follows_the_shape) {
  static_assert(fingerprint<Inner>() != fingerprint<Other>());
  static_assert(fingerprint<std::variant<Inner, Other>>() != fingerprint<std::variant<Other, Inner>>());
}

}  // namespace
}  // namespace sternpost

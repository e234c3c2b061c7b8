#include "runtime/json_text.h"

#include <gtest/gtest.h>

namespace sternpost {
namespace {

using namespace std::string_view_literals;

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

TEST(JsonString, EscapesWhatJsonMust) {
  EXPECT_EQ(json_string("a\"b\\c\n\0\x1f\x7f"sv), R"("a\"b\\c\u000a\u0000\u001f\u007f")");
}

TEST(JsonString, KeepsWellFormedUtf8) {
  for (const auto text :
       {"\xc3\xa9"sv, "\xe2\x82\xac"sv, "\xf0\x9f\x93\xab"sv, "\xed\x9f\xbf"sv, "\xf4\x8f\xbf\xbf"sv}) {
    EXPECT_EQ(json_string(text), "\"" + std::string(text) + "\"");
  }
}

TEST(JsonString, SpellsOutOctetsThatAreNotUtf8) {
  EXPECT_EQ(json_string("\xff"), R"("\\xff")");
  EXPECT_EQ(json_string("\xc0\xaf"), R"("\\xc0\\xaf")");                    // overlong
  EXPECT_EQ(json_string("\xe0\x80\xaf"), R"("\\xe0\\x80\\xaf")");           // overlong
  EXPECT_EQ(json_string("\xed\xa0\x80"), R"("\\xed\\xa0\\x80")");           // surrogate
  EXPECT_EQ(json_string("\xf4\x90\x80\x80"), R"("\\xf4\\x90\\x80\\x80")");  // beyond U+10FFFF
  EXPECT_EQ(json_string("\xe2\x82"), R"("\\xe2\\x82")");                    // cut short
}

TEST(JsonWriter, PlacesCommas) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().member("a", 1U).member("b", "x").key("c").begin_array();
  writer.value(true).value(std::uint64_t{2}).begin_object().end_object().json("null");
  writer.end_array().member("d", false).end_object();
  EXPECT_EQ(out, R"({"a":1,"b":"x","c":[true,2,{},null],"d":false})");
}

}  // namespace
}  // namespace sternpost

#include "config/document.h"

#include <gtest/gtest.h>

#include <random>

namespace sternpost::config {
namespace {

TEST(Document, KeepsTheLineOfEveryKeyAndEntry) {
  const auto document = parse_document("a = 1\n\n[t]\nb = [\n  \"x\",\n  \"y\",\n]\n");
  ASSERT_TRUE(document);
  ASSERT_EQ(document->members.size(), 2U);
  EXPECT_EQ(document->members[0].name, "a");
  EXPECT_EQ(document->members[0].node.line, 1U);
  const auto& table = document->members[1].node;
  ASSERT_EQ(table.members.size(), 1U);
  EXPECT_EQ(table.members[0].node.line, 4U);
  ASSERT_EQ(table.members[0].node.items.size(), 2U);
  EXPECT_EQ(table.members[0].node.items[1].line, 6U);
  EXPECT_EQ(table.members[0].node.items[1].scalar, "y");
}

TEST(Document, KeepsTheOrderOfTheFile) {
  const auto document = parse_document("z = 1\na = 2\nm = 3\n");
  ASSERT_TRUE(document);
  EXPECT_EQ(document->members[0].name, "z");
  EXPECT_EQ(document->members[2].name, "m");
}

TEST(Document, SaysInWhichLineTheGrammarIsBroken) {
  const auto document = parse_document("a = 1\nb = \n");
  ASSERT_FALSE(document);
  EXPECT_EQ(document.error().line, 2U);
  EXPECT_TRUE(document.error().text.starts_with("is not TOML: ")) << document.error().text;
}

TEST(Document, RefusesAKeyThatIsGivenTwice) {
  EXPECT_FALSE(parse_document("a = 1\na = 2\n"));
}

TEST(Document, AcceptsAFileOfTheBoundAndRefusesOneOctetMore) {
  std::string text = "a = 1\n#" + std::string(kMaxFile - 7, 'x');
  EXPECT_EQ(text.size(), kMaxFile);
  EXPECT_TRUE(parse_document(text));
  text += "x";
  EXPECT_FALSE(parse_document(text));
}

TEST(Document, RefusesKeysThatNestBeyondTheBound) {
  EXPECT_TRUE(parse_document("a.b.c.d.e.f.g.h.i = 1\n"));
  const auto deep = parse_document(
      "# a comment... and \"more\"\na = \"1.2.3.4.5.6.7.8.9.10.11\"\nb.b.c.d.e.f.g.h.i.j = 1\n");
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().line, 3U);
}

TEST(Document, SurvivesKeysAndValuesThatNestAsDeepAsTheFileIsLong) {
  std::string dotted = "a";
  while (dotted.size() < kMaxFile / 2) dotted += ".a";
  EXPECT_FALSE(parse_document(dotted + " = 1"));
  EXPECT_FALSE(parse_document("a = " + std::string(kMaxFile / 2, '[')));
  std::string inline_tables = "a = ";
  while (inline_tables.size() < kMaxFile / 2) inline_tables += "{a.a.a.a.a.a.a.a = ";
  EXPECT_FALSE(parse_document(inline_tables));
}

TEST(Document, LooksBehindAStringThatEndsWithQuotesOfItsOwn) {
  std::string text = R"(a = [ """x""""", {b)";
  for (int i = 0; i < 20; ++i) text += ".b";
  EXPECT_FALSE(parse_document(text + " = 1} ]"));
  EXPECT_TRUE(parse_document(R"(a = [ """x""""", {b.b = 1} ])"));
}

TEST(Document, TakesCharactersBeyondAsciiInCommentsAndEscapesOnly) {
  EXPECT_TRUE(parse_document("# caf\xc3\xa9 \xff\na = 1 # \xef\xbb\x9f\n"));
  EXPECT_TRUE(
      parse_document("\xef\xbb\xbf"
                     "a = 1\n"));
  const auto escaped = parse_document(R"(a = "caf\u00e9")");
  ASSERT_TRUE(escaped);
  EXPECT_EQ(escaped->members[0].node.scalar, "caf\xc3\xa9");
  for (const auto* text :
       {"\n\xef\xbb\x9f = 1", "\na = \"\xc3\xa9\"", "\n'\xc3\xa9' = 1", "\n\"\"\"\\\xef\xba\xbf"}) {
    const auto refused = parse_document(text);
    ASSERT_FALSE(refused) << text;
    EXPECT_EQ(refused.error().line, 2U);
  }
}

TEST(Document, RefusesAHeaderWithoutAKey) {
  for (const auto* text : {"[=", "[ .a]", "[[ =]]", "[", "[]", "[\n]", "a = 1\n  [,"}) {
    EXPECT_FALSE(parse_document(text)) << text;
  }
  EXPECT_TRUE(parse_document("a = [\n[ # nested\n1],\n[\n], [{b = 1}]]\n[[ t ]]\n[ 'u' . v ]\n"));
}

TEST(Document, RefusesAQuoteInTheMiddleOfAWord) {
  EXPECT_FALSE(parse_document("a = 0\"\xef\xb3\xbf\"\n"));
}

TEST(Document, NamesTheLineOfWhatTheParserTakesForImpossible) {
  for (const auto* text : {"x = 1\n\na = [}\nb = 2\n", "x = 1\n\na = [1, }", "x = [\n1,\n}\n\n\n"}) {
    const auto refused = parse_document(text);
    ASSERT_FALSE(refused) << text;
    EXPECT_EQ(refused.error().line, 3U) << refused.error().text;
  }
}

TEST(Document, SurvivesGarbage) {
  std::mt19937 random(1);
  const std::string_view alphabet = "abc.=[]{}\"'\\\n#,0123456789-:TZ \t\r\xc3\xa9\xff\x00u";
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    const auto size = random() % 60;
    for (unsigned i = 0; i < size; ++i) text.push_back(alphabet[random() % alphabet.size()]);
    const auto document = parse_document(text);
    if (!document) {
      EXPECT_FALSE(document.error().text.empty());
    }
  }
}

}  // namespace
}  // namespace sternpost::config

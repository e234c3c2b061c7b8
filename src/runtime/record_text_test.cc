#include "runtime/record_text.h"

#include <gtest/gtest.h>

#include <random>

namespace sternpost {
namespace {

Record full_record() {
  Record record;
  record.at = WallTime{1'795'248'812'123'456};
  record.by = Compartment::smtpd;
  record.decision = Decision::accepted;
  record.id = QueueId{4711};
  record.session = "s1-2";
  record.client = "192.0.2.1:40312";
  record.sender = "<a@example.org>";
  record.recipient = "<b@example.net>";
  record.rule = {"domains", "/etc/sternpost/sternpost.toml", 3};
  record.facts = {{"bytes", "4096"}, {"helo", "box one"}};
  record.outcome = "250 2.0.0 accepted";
  record.next = WallTime{1'795'248'900'000'001};
  return record;
}

std::string log_line(const Record& record) {
  std::string out;
  append_log_line(out, record);
  return out;
}

std::string json_line(const Record& record) {
  std::string out;
  append_json_line(out, record);
  return out;
}

TEST(LogLine, TellsTheWholeRecord) {
  EXPECT_EQ(
      log_line(full_record()),
      "2026-11-21T08:13:32.123456Z smtpd accepted id=" + to_string(QueueId{4711}) +
          " from=<a@example.org> to=<b@example.net> client=192.0.2.1:40312 session=s1-2 bytes=4096 "
          "helo=\"box one\" rule=domains(/etc/sternpost/sternpost.toml:3) next=2026-11-21T08:15:00.000001Z: "
          "250 2.0.0 accepted\n");
}

TEST(LogLine, LeavesOutWhatDoesNotApply) {
  Record record;
  record.at = WallTime{0};
  record.by = Compartment::master;
  record.decision = Decision::started;
  EXPECT_EQ(log_line(record), "1970-01-01T00:00:00.000000Z master started\n");
}

TEST(LogLine, PutsAnglesAroundBareAddresses) {
  auto record = full_record();
  record.sender = "a@example.org";
  EXPECT_NE(log_line(record).find(" from=<a@example.org> "), std::string::npos);
  record.sender = "<>";
  EXPECT_NE(log_line(record).find(" from=<> "), std::string::npos);
}

TEST(LogLine, IsOneLineWhateverTheTextIs) {
  auto record = full_record();
  record.outcome = "first\r\n2026-11-21T08:13:32.123456Z smtpd accepted forged";
  record.facts = {{"he\nlo", "x\" id=forged y=\"\x1b[2J"}};
  const auto line = log_line(record);
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  EXPECT_EQ(line.find('\r'), std::string::npos);
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  EXPECT_NE(line.find(R"(he\x0alo="x\" id=forged y=\"\x1b[2J")"), std::string::npos) << line;
}

TEST(JsonLine, IsReadBackAsTheSameRecord) {
  EXPECT_EQ(parse_json_line(json_line(full_record())), full_record());
  EXPECT_EQ(parse_json_line(json_line(Record{})), Record{});
}

TEST(JsonLine, IsReadBackForEveryDecisionAndCompartment) {
  for (unsigned d = 0; d < kEnumBound<Decision>; ++d) {
    for (unsigned c = 0; c < kCompartments; ++c) {
      Record record;
      record.decision = static_cast<Decision>(d);
      record.by = static_cast<Compartment>(c);
      EXPECT_EQ(parse_json_line(json_line(record)), record);
    }
  }
}

TEST(JsonLine, IsReadBackWithControlCharactersAndQuotes) {
  auto record = full_record();
  record.outcome = std::string("\0\r\n\t\"\\\x7f \xe2\x82\xac", 11);
  EXPECT_EQ(parse_json_line(json_line(record)), record);
}

TEST(JsonLine, HasOnlyWhatApplies) {
  Record record;
  record.by = Compartment::log;
  record.decision = Decision::dropped;
  EXPECT_EQ(json_line(record),
            "{\"at\":\"1970-01-01T00:00:00.000000Z\",\"by\":\"log\",\"decision\":\"dropped\"}\n");
}

TEST(JsonLine, PassesOverKeysOfLaterVersions) {
  EXPECT_TRUE(parse_json_line(
      R"({"at":"1970-01-01T00:00:00.000000Z","by":"log","decision":"dropped","tls":{"v":3}})"));
}

TEST(JsonLine, RefusesWhatIsNoRecord) {
  for (const auto* text :
       {"", "{}", "[]", "null", "{", R"({"at":"1970-01-01T00:00:00.000000Z","by":"log"})",
        R"({"at":"yesterday","by":"log","decision":"dropped"})",
        R"({"at":"1970-01-01T00:00:00.000000Z","by":"nobody","decision":"dropped"})",
        R"({"at":"1970-01-01T00:00:00.000000Z","by":"log","decision":"guessed"})",
        R"({"at":"1970-01-01T00:00:00.000000Z","by":"log","decision":"dropped","facts":[1]})",
        R"({"at":"1970-01-01T00:00:00.000000Z","by":"log","decision":"dropped","rule":{"line":-1}})",
        R"({"at":"1970-01-01T00:00:00.000000Z","by":"log","decision":"dropped"} x)"}) {
    EXPECT_FALSE(parse_json_line(text)) << text;
  }
}

TEST(JsonLine, RefusesALineBeyondTheBound) {
  auto record = full_record();
  record.outcome = std::string(kMaxRecordLine, 'x');
  EXPECT_FALSE(parse_json_line(json_line(record)));
  record.outcome.resize(kMaxRecordLine - 1'000);
  EXPECT_TRUE(parse_json_line(json_line(record)));
}

TEST(JsonLine, SurvivesGarbage) {
  std::mt19937 random(3);
  const auto line = json_line(full_record());
  for (int round = 0; round < 20'000; ++round) {
    auto text = line;
    for (unsigned i = 0; i < 1 + random() % 4; ++i)
      text[random() % text.size()] = static_cast<char>(random());
    if (const auto record = parse_json_line(text)) log_line(*record);
  }
}

TEST(Rfc3339, IsTheInverseOfPrinting) {
  for (const std::int64_t at : {0LL, 1LL, 1'795'248'812'123'456LL, -1LL, 253'402'300'799'999'999LL}) {
    EXPECT_EQ(parse_rfc3339(to_rfc3339(WallTime{at})), WallTime{at});
  }
}

TEST(Rfc3339, RefusesWhatIsNoTime) {
  for (const auto* text :
       {"", "2026-11-21", "2026-13-21T08:13:32.123456Z", "2026-02-30T08:13:32.123456Z",
        "2026-11-21T24:13:32.123456Z", "2026-11-21T08:60:32.123456Z", "2026-11-21T08:13:32.12345Z",
        "2026-11-21 08:13:32.123456Z", "2026-11-21T08:13:32.+23456Z", "-026-11-21T08:13:32.123456Z"}) {
    EXPECT_FALSE(parse_rfc3339(text)) << text;
  }
}

TEST(RuleText, NamesFileAndLine) {
  EXPECT_EQ(to_string(Rule{"domains", "s.toml", 3}), "domains (s.toml:3)");
  EXPECT_EQ(to_string(Rule{"RFC 5321 4.5.3.1", "", 0}), "RFC 5321 4.5.3.1");
}

TEST(JsonLine, FactsOfOneNameAreToldApart) {
  Record record;
  record.facts = {{"file", "a"}, {"bytes", "1"}, {"file", "b"}, {"file", "c"}};
  std::string line;
  append_json_line(line, record);
  EXPECT_NE(line.find(R"("facts":{"file":"a","bytes":"1","file_2":"b","file_3":"c"})"), std::string::npos)
      << line;
  const auto back = parse_json_line(line);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->facts,
            (std::vector<Fact>{{"file", "a"}, {"bytes", "1"}, {"file_2", "b"}, {"file_3", "c"}}));
}

}  // namespace
}  // namespace sternpost

#include "tool/story.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/record_text.h"

namespace sternpost::tool {
namespace {

using testing::ElementsAre;

Record record(std::uint64_t id, Decision decision, std::string sender, std::string recipient,
              std::string client = "") {
  Record made;
  made.id = QueueId{id};
  made.decision = decision;
  made.sender = std::move(sender);
  made.recipient = std::move(recipient);
  made.client = std::move(client);
  return made;
}

Story tell(const std::string& subject, const std::vector<Record>& records, std::size_t most = 10) {
  Story story(*parse_subject(subject), most);
  std::vector<std::string> lines(records.size());
  for (std::size_t i = 0; i < records.size(); ++i) {
    append_json_line(lines[i], records[i]);
    lines[i].pop_back();
  }
  for (const auto& line : lines) story.find(line);
  for (const auto& line : lines) story.gather(line);
  return story;
}

const std::vector<Record> kHistory = {
    record(1, Decision::accepted, "<a@x.example>", "", "192.0.2.1:4000"),
    record(2, Decision::accepted, "<B@x.example>", "", "[2001:db8::1]:4000"),
    record(0, Decision::refused, "<a@x.example>", "zoe@y.example", "192.0.2.1:4000"),
    record(1, Decision::delivered, "", "<bob@y.example>"),
    record(2, Decision::deferred, "", "bob@y.example"),
    record(3, Decision::accepted, "<>", ""),
};

TEST(Subject, IsToldApart) {
  EXPECT_EQ(parse_subject("Alice@Example.org")->text, "alice@example.org");
  EXPECT_EQ(parse_subject("<alice@example.org>")->text, "alice@example.org");
  EXPECT_EQ(parse_subject("<>")->kind, Subject::Kind::address);
  EXPECT_EQ(parse_subject("192.0.2.1:25")->text, "192.0.2.1");
  EXPECT_EQ(parse_subject("[2001:DB8::1]:25")->text, "2001:db8::1");
  EXPECT_EQ(parse_subject("2001:db8::1")->kind, Subject::Kind::client);
  EXPECT_EQ(parse_subject(to_string(QueueId{77}))->kind, Subject::Kind::message);
  for (const auto* text : {"", "0000", "hello", "[", "[]", "192.0.2"})
    EXPECT_FALSE(parse_subject(text)) << text;
}

TEST(Story, TellsRecordsInTheOrderOfTheirTimes) {
  auto accepted = record(1, Decision::accepted, "<a@x.example>", "");
  auto routed = record(1, Decision::routed, "", "bob@y.example");
  auto delivered = record(1, Decision::delivered, "", "bob@y.example");
  accepted.at = routed.at = WallTime{1'000'000};
  delivered.at = WallTime{2'000'000};
  const auto story = tell(to_string(QueueId{1}), {delivered, accepted, routed});
  std::vector<Decision> told;
  for (const auto& each : story.records_of(QueueId{1})) told.push_back(each.decision);
  EXPECT_THAT(told, ElementsAre(Decision::accepted, Decision::routed, Decision::delivered));
}

TEST(Story, OfAMessageHasItsRecordsAlone) {
  const auto story = tell(to_string(QueueId{1}), kHistory);
  EXPECT_THAT(story.messages(), ElementsAre(QueueId{1}));
  ASSERT_EQ(story.records_of(QueueId{1}).size(), 2U);
  EXPECT_EQ(story.records_of(QueueId{1})[1].decision, Decision::delivered);
  EXPECT_TRUE(story.others().empty());
}

TEST(Story, OfARecipientHasAllRecordsOfTheMessages) {
  const auto story = tell("BOB@y.example", kHistory);
  EXPECT_THAT(story.messages(), ElementsAre(QueueId{1}, QueueId{2}));
  EXPECT_EQ(story.records_of(QueueId{2}).size(), 2U);
}

TEST(Story, OfOneOfSeveralRecipientsHasMessagesThatWereNotRoutedYet) {
  auto held = record(4, Decision::accepted, "<a@x.example>", "");
  held.facts = {{"bytes", "9"}, {"to", "Bob@y.example, ann@y.example, \"c d\"@y.example, and 3 more"}};
  for (const auto* one : {"bob@y.example", "ANN@y.example", "\"c d\"@y.example"}) {
    EXPECT_THAT(tell(one, {held}).messages(), ElementsAre(QueueId{4})) << one;
  }
  for (const auto* other : {"n@y.example", "bob@y.exampl", "d@y.example", "b@y.example"}) {
    EXPECT_TRUE(tell(other, {held}).empty()) << other;
  }
  held.facts[1].name = "from";
  EXPECT_TRUE(tell("bob@y.example", {held}).empty());
}

TEST(Story, OfASenderHasItsRefusals) {
  const auto story = tell("a@x.example", kHistory);
  EXPECT_THAT(story.messages(), ElementsAre(QueueId{1}));
  ASSERT_EQ(story.others().size(), 1U);
  EXPECT_EQ(story.others()[0].decision, Decision::refused);
}

TEST(Story, OfAClientIsFoundWithoutItsPort) {
  EXPECT_THAT(tell("2001:db8::1", kHistory).messages(), ElementsAre(QueueId{2}));
  EXPECT_EQ(tell("192.0.2.1", kHistory).others().size(), 1U);
  EXPECT_TRUE(tell("192.0.2.11", kHistory).empty());
}

TEST(Story, OfTheNullSenderIsItsOwn) {
  EXPECT_THAT(tell("<>", kHistory).messages(), ElementsAre(QueueId{3}));
}

TEST(Story, KeepsTheNewestMessages) {
  std::vector<Record> many;
  for (std::uint64_t id = 1; id <= 50; ++id)
    many.push_back(record(id, Decision::accepted, "<a@x.example>", ""));
  const auto story = tell("a@x.example", many, 2);
  EXPECT_THAT(story.messages(), ElementsAre(QueueId{49}, QueueId{50}));
}

TEST(Story, PassesOverLinesThatAreNoRecords) {
  Story story(*parse_subject("a@x.example"), 10);
  for (const auto* line : {"a@x.example", "{\"a@x.example\":1}", "", "\"id\":\""}) {
    story.find(line);
    story.gather(line);
  }
  EXPECT_TRUE(story.empty());
}

TEST(StoryLine, ShowsTheTimeSinceTheBeginning) {
  auto made = record(1, Decision::delivered, "", "<bob@y.example>");
  made.at = WallTime{1'500'000};
  EXPECT_EQ(story_line(made, WallTime{0}),
            "  1970-01-01T00:00:01.500000Z    +1.500000 s  master delivered id=0001 to=<bob@y.example>\n");
}

TEST(StoryLine, ShowsADialogueLineByLineBelowTheRecord) {
  auto made = record(1, Decision::failed, "", "<bob@y.example>");
  made.at = WallTime{0};
  made.facts = {
      {"site", "y.example"},
      {"dialogue",
       "... | S: 220 hello | (9 lines left out) | C: RCPT TO:<bob@y.example> | S: 550 5.1.1 no | one\x1b"},
      {"attempted", "now"}};
  made.outcome = "550 5.1.1 no one";
  EXPECT_EQ(story_line(made, WallTime{0}),
            "  1970-01-01T00:00:00.000000Z    +0.000000 s  master failed id=0001 to=<bob@y.example> "
            "site=y.example attempted=now: 550 5.1.1 no one\n"
            "        ...\n"
            "        S: 220 hello\n"
            "        (9 lines left out)\n"
            "        C: RCPT TO:<bob@y.example>\n"
            "        S: 550 5.1.1 no | one\\x1b\n");
}

}  // namespace
}  // namespace sternpost::tool

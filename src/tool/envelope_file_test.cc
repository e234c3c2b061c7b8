#include "tool/envelope_file.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "tool/import_journal.h"

namespace sternpost::tool {
namespace {

ExportedEnvelope sample() {
  ExportedEnvelope envelope{.id = "000b",
                            .reverse_path = mail::Mailbox::from_wire("\"a b\"@example.net"),
                            .arrival = WallTime{1'700'000'000'123'456},
                            .origin = {"ESMTP", "192.0.2.1:4000", "mx \"x\"", "s1"},
                            .eight_bit = true,
                            .held = true,
                            .warned = true,
                            .octets = 17,
                            .content = 0xFEDC'BA98'7654'3210,
                            .recipients = {}};
  const auto address = *mail::Mailbox::from_wire("a@example.org");
  envelope.recipients.push_back({address, false, 0, {}});
  mail::RecipientOutcome last{
      0, mail::Disposition::deferred, {450, {4, 2, 0}, "not now"}, WallTime{1}, "mx.example.net"};
  envelope.recipients.push_back({address, false, 3, last});
  last.disposition = mail::Disposition::failed;
  last.reply = {550, {}, "\"no\" \\ such"};
  last.remote = "";
  envelope.recipients.push_back({address, true, 1, last});
  return envelope;
}

/// The sample with one member of it, or of its second recipient's, or of that one's outcome, made another.
std::string with(const char* where, std::string_view key, boost::json::value value) {
  auto object = boost::json::parse(to_text(sample()));
  object.at_pointer(where).as_object()[{key.data(), key.size()}] = std::move(value);
  return boost::json::serialize(object);
}

TEST(EnvelopeFile, ComesBackAsItWasWritten) {
  const auto text = to_text(sample());
  const auto back = parse_envelope_file(text);
  ASSERT_TRUE(back) << back.error() << '\n' << text;
  EXPECT_EQ(*back, sample());
  auto notice = sample();
  notice.reverse_path = {};
  EXPECT_EQ(parse_envelope_file(to_text(notice)), notice);
}

TEST(EnvelopeFile, NeedsLittle) {
  const auto back = parse_envelope_file(
      R"({"sternpost_envelope":1,"reverse_path":"<a@example.net>","arrived":"2026-11-21T08:13:32.123456Z",
          "recipients":[{"address":"b@example.org","state":"open"}]})");
  ASSERT_TRUE(back) << back.error();
  EXPECT_FALSE(back->octets);
  EXPECT_FALSE(back->held);
  EXPECT_EQ(back->recipients.size(), 1U);
}

TEST(EnvelopeFile, SaysWhatIsWrong) {
  const boost::json::value number = 5;
  const boost::json::value long_text = boost::json::string(513, 'x');
  const boost::json::value long_host = boost::json::string(321, 'x');
  for (const auto& [text, what] : std::vector<std::pair<std::string, std::string>>{
           {"", "is not JSON"},
           {"[]", "must be a JSON object"},
           {"{}", "must say \"sternpost_envelope\": 1"},
           {with("", "sternpost_envelope", 2), "must say \"sternpost_envelope\": 1"},
           {with("", "hold", true), "hold is not known"},
           {with("", "held", number), "held must be true or false"},
           {with("", "reverse_path", "a@example.net"), "reverse_path must be <address> or <>"},
           {with("", "reverse_path", number), "reverse_path must be text"},
           {with("", "arrived", "today"), "arrived must be a time"},
           {with("", "octets", -1), "octets must be a number"},
           {with("", "xxh3", "xyz"), "xxh3 must be hexadecimal"},
           {with("", "recipients", number), "recipients must be a list"},
           {with("", "recipients", boost::json::array{number}), "recipients[0] must be an object"},
           {with("/recipients/1", "address", "b"), "recipients[1].address is not a mail address: b"},
           {with("/recipients/1", "address", "a@example.org\r\nRCPT"), "recipients[1].address is not"},
           {with("/recipients/1", "state", "closed"), "recipients[1].state must be open or failed"},
           {with("/recipients/0", "state", "failed"), "recipients[0].last is missing"},
           {with("/recipients/1", "attempts", -1), "recipients[1].attempts must be a number"},
           {with("/recipients/1/last", "code", 199), "recipients[1].last.code must be a reply code"},
           {with("/recipients/1/last", "code", 600), "recipients[1].last.code must be a number"},
           {with("/recipients/1/last", "status", "4.2"), "recipients[1].last.status must be a status"},
           {with("/recipients/1/last", "status", "3.2.1"), "recipients[1].last.status must be a status"},
           {with("/recipients/1/last", "text", long_text), "recipients[1].last.text must be at most 512"},
           {with("/recipients/1/last", "text", "a\nb"), "recipients[1].last.text must be at most 512"},
           {with("/recipients/1/last", "said_by", long_host), "recipients[1].last.said_by"}}) {
    const auto back = parse_envelope_file(text);
    ASSERT_FALSE(back) << what;
    EXPECT_TRUE(back.error().starts_with(what)) << back.error() << "\ninstead of: " << what;
  }
}

TEST(EnvelopeFile, HasABoundOnRecipients) {
  auto many = sample();
  many.recipients.assign(kMaxImportedRecipients, many.recipients.front());
  EXPECT_TRUE(parse_envelope_file(to_text(many)));
  many.recipients.push_back(many.recipients.front());
  EXPECT_FALSE(parse_envelope_file(to_text(many)));
  EXPECT_FALSE(parse_envelope_file(std::string(100, '['))) << "nor does it nest without end";
}

TEST(ImportJournal, ComesBackAsItWasWritten) {
  const ImportJournal journal{0xABCD, {{"000b", {17}}, {"by-hand_1.x", {18}}}};
  EXPECT_EQ(parse_import_journal(to_text(journal)), journal);
  EXPECT_EQ(parse_import_journal(to_text(ImportJournal{1, {}})), (ImportJournal{1, {}}));
}

TEST(ImportJournal, RefusesOtherText) {
  for (const auto* text : {"", "sternpost-import 2 00\n", "sternpost-import 1 \n", "sternpost-import 1 xy\n",
                           "sternpost-import 1 01\n000b\n", "sternpost-import 1 01\n../x 000b\n",
                           "sternpost-import 1 01\n000b -\n"}) {
    EXPECT_FALSE(parse_import_journal(text)) << text;
  }
}

TEST(ImportName, IsAPlainName) {
  for (const auto* name : {"000b", "a.b-c_D"}) EXPECT_TRUE(is_import_name(name)) << name;
  EXPECT_TRUE(is_import_name(std::string(128, 'a')));
  for (const auto* name : {"", ".hidden", "a/b", "a b", "a\n"}) EXPECT_FALSE(is_import_name(name)) << name;
  EXPECT_FALSE(is_import_name(std::string(129, 'a')));
}

}  // namespace
}  // namespace sternpost::tool

// What the listing commands print, for people and for programs.
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "config/load.h"
#include "tool/config_commands.h"
#include "tool/control_commands.h"
#include "tool/queue_commands.h"

namespace sternpost::tool {
namespace {

namespace json = boost::json;

config::Values values() {
  auto loaded = config::load({"setup = \"local-only\"\nhostname = \"h.example\"\n", "s.toml", ""});
  EXPECT_TRUE(loaded);
  return std::move(*loaded);
}

spool_admin::Entry entry() {
  spool_admin::Entry made;
  made.id = QueueId{42};
  made.state = spool_admin::State::deferred;
  made.bytes = 4096;
  made.reverse_path = mail::Mailbox::from_wire("a@x.example");
  spool_admin::RecipientEntry recipient;
  recipient.address = *mail::Mailbox::from_wire("b@y.example");
  recipient.attempts = 2;
  recipient.last =
      mail::RecipientOutcome{0, mail::Disposition::deferred, {451, {4, 3, 0}, "disk\x1b full"}, WallTime{}};
  made.recipients.push_back(recipient);
  return made;
}

admin::StatusReply reply() {
  admin::StatusReply made;
  control::ProcessStatus process;
  process.row = Compartment::virtual_mailbox;
  process.pid = 77;
  process.state = "running";
  process.counters = {{"frames_in", 9}};
  process.layers = {"uid", "seccomp"};
  made.processes.push_back(process);
  process.state = "starting";
  process.row = Compartment::log;
  made.processes.push_back(process);
  made.messages = 70;
  made.queue.emplace().held = 3;
  return made;
}

TEST(ConfigShow, IsTomlThatMeansTheSame) {
  const auto before = values();
  const auto after = config::load({show_text(before), "shown.toml", ""});
  ASSERT_TRUE(after) << after.error().front();
  for (std::size_t i = 0; i < before.settings().size(); ++i) {
    EXPECT_EQ(before.settings()[i].value, after->settings()[i].value);
  }
}

TEST(ConfigShow, NamesTheOriginInJson) {
  const auto shown = json::parse(show_json(values()));
  const auto& first = shown.as_array().at(0).as_object();
  EXPECT_EQ(first.at("key"), "setup");
  EXPECT_EQ(first.at("value"), "\"local-only\"");
  EXPECT_EQ(first.at("origin"), "s.toml:1");
}

TEST(QueueListing, ShowsEveryRecipientEscaped) {
  const auto text = entry_text(entry());
  EXPECT_NE(text.find("deferred"), std::string::npos);
  EXPECT_NE(text.find("<b@y.example> open, attempts: 2"), std::string::npos) << text;
  EXPECT_NE(text.find("451 4.3.0 disk\\x1b full"), std::string::npos) << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(QueueListing, ShowsWhereAMessageCameFrom) {
  EXPECT_EQ(entry_text(entry()).find("from"), std::string::npos);
  auto made = entry();
  made.origin = {"ESMTP", "192.0.2.1:4000", "mx\x1b.example", "s77"};
  EXPECT_NE(entry_text(made).find("      from 192.0.2.1:4000 (mx\\x1b.example) with ESMTP, session s77\n"),
            std::string::npos)
      << entry_text(made);
}

TEST(QueueListing, ShowsTheNextAttemptAndWhyNotBefore) {
  EXPECT_EQ(entry_text(entry()).find("next attempt"), std::string::npos);
  auto made = entry();
  made.next = WallTime{};
  EXPECT_NE(entry_text(made).find("      next attempt 1970-01-01T00:00:00.000000Z\n"), std::string::npos)
      << entry_text(made);
  made.because = "mx\x1b.example is down";
  EXPECT_NE(entry_text(made).find(".000000Z: mx\\x1b.example is down\n"), std::string::npos)
      << entry_text(made);
}

TEST(QueueListing, IsJson) {
  std::string out;
  JsonWriter writer(out);
  auto made = entry();
  made.next = WallTime{};
  made.because = "mx.example is down";
  append_entry_json(writer, made);
  const auto shown = json::parse(out).as_object();
  EXPECT_EQ(shown.at("id").as_string(), to_string(QueueId{42}));
  EXPECT_EQ(shown.at("state"), "deferred");
  EXPECT_EQ(shown.at("octets").to_number<int>(), 4096);
  EXPECT_EQ(shown.at("next"), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(shown.at("because"), "mx.example is down");
  const auto& recipient = shown.at("recipients").at(0).as_object();
  EXPECT_EQ(recipient.at("address"), "b@y.example");
  EXPECT_EQ(recipient.at("last").at("disposition"), "deferred");
}

TEST(Status, ShowsProcessesAndQueue) {
  const auto text = status_text(reply(), false);
  EXPECT_NE(text.find("virtual"), std::string::npos);
  EXPECT_NE(text.find("queue: 70 messages"), std::string::npos);
  EXPECT_NE(text.find("3 held"), std::string::npos);
  EXPECT_EQ(text.find("frames_in"), std::string::npos);
  EXPECT_NE(status_text(reply(), true).find("frames_in"), std::string::npos);
}

TEST(Status, DoesNotShowZeroForWhatNobodyKnows) {
  auto unknown = reply();
  unknown.messages.reset();
  unknown.queue.reset();
  const auto text = status_text(unknown, false);
  EXPECT_NE(text.find("queue: not known"), std::string::npos) << text;
  EXPECT_NE(text.find("in memory: not known"), std::string::npos) << text;
  const auto shown = json::parse(status_json(unknown)).as_object();
  EXPECT_TRUE(shown.at("messages").is_null());
  EXPECT_TRUE(shown.at("queue").is_null());
}

TEST(Status, HasTheLayersOfProcessesThatAreReady) {
  const auto layers = running_layers(reply());
  ASSERT_EQ(layers.size(), 1U);
  EXPECT_EQ(layers.at(Compartment::virtual_mailbox), (Layers{"uid", "seccomp"}));
}

TEST(Status, IsJson) {
  const auto shown = json::parse(status_json(reply())).as_object();
  const auto& process = shown.at("processes").at(0).as_object();
  EXPECT_EQ(process.at("program"), "virtual");
  EXPECT_EQ(process.at("counters").at("frames_in").to_number<int>(), 9);
  EXPECT_EQ(shown.at("messages").to_number<int>(), 70);
  EXPECT_EQ(shown.at("queue").at("held").to_number<int>(), 3);
}

}  // namespace
}  // namespace sternpost::tool

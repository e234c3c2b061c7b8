#include <gtest/gtest.h>
#include <sys/stat.h>

#include <boost/json.hpp>

#include "spool/log_walk.h"
#include "tool/envelope_file.h"
#include "tool/import_journal.h"
#include "tool/spool_commands.h"
#include "tool/test_spool.h"

namespace sternpost::tool {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kContent = "Subject: x\r\n\r\nsome \xff text\r\n";

class Transfer : public TestSpool {
 protected:
  Transfer() { second_.directory = make_queue("second"); }

  Outcome<void> export_to(const std::string& folder, const std::vector<std::string>& ids = {},
                          bool remove = false) {
    return run([&] { return spool_export(options_, place_, {base_ / folder, ids, remove}); });
  }
  Outcome<void> import_from(const std::string& folder) {
    return run([&] { return spool_import(options_, second_, base_ / folder); });
  }

  struct Live {
    QueueId id;
    mail::Envelope envelope;
    std::string content;
    spool::MessageState state;
  };
  std::vector<Live> messages_in(const SpoolPlace& place) {
    std::vector<Live> all;
    with_engine(place.directory, [&](spool::Engine& engine) {
      for (const auto& [position, id] : engine.messages_after(0, 1000)) {
        const auto& message = engine.find(id);
        all.push_back({id, *engine.read_envelope(id), *engine.read_content(id), message->state});
      }
    });
    return all;
  }
  /// An exported message, as an envelope of one's own making.
  void put(const std::string& name, const std::string& envelope, const std::string& content = "x\r\n") {
    fs::create_directory(base_ / "in");
    write(base_ / "in" / (name + ".envelope"), envelope);
    write(base_ / "in" / (name + ".eml"), content);
  }
  static std::string envelope(
      const std::string& recipients = R"({"address":"a@example.org","state":"open"})") {
    return R"({"sternpost_envelope":1,"reverse_path":"<>","arrived":"2026-11-21T08:13:32.123456Z","recipients":[)" +
           recipients + "]}";
  }

  SpoolPlace second_;
};

TEST_F(Transfer, MovesAMessageWithAllThatIsStillOwed) {
  add(std::string(kContent), true);
  const auto before = messages_in(place_).at(0);
  const auto id = to_string(before.id);
  auto done = export_to("out", {}, true);
  ASSERT_TRUE(done) << done.error().text << out_;
  EXPECT_EQ(out_, "exported " + id + ": from <sender@example.net>, recipients: 3\nexported: 1 messages\n");
  EXPECT_EQ(files(base_ / "out").at(id + ".eml"), kContent);
  EXPECT_EQ(files(base_ / "out").size(), 2U);
  EXPECT_TRUE(messages_in(place_).empty());

  done = import_from("out");
  ASSERT_TRUE(done) << done.error().text << out_;
  const auto after = messages_in(second_);
  ASSERT_EQ(after.size(), 1U);
  EXPECT_EQ(after[0].content, before.content);
  EXPECT_EQ(after[0].envelope, before.envelope);
  EXPECT_TRUE(after[0].state.held);
  EXPECT_EQ(after[0].state.open(), 2U);
  EXPECT_TRUE(after[0].state.is_owing(2)) << "its sender is still to be told";
  EXPECT_EQ(after[0].state.find(2)->last.attempted, WallTime{7'000'000});
  const auto left = files(base_ / "out");
  EXPECT_TRUE(left.contains(id + ".eml.imported"));
  EXPECT_TRUE(left.contains(id + ".envelope.imported"));
  EXPECT_EQ(left.size(), 2U);

  ASSERT_TRUE(import_from("out"));
  EXPECT_EQ(out_, "imported: 0 messages\n");
  EXPECT_EQ(messages_in(second_).size(), 1U);
}

TEST_F(Transfer, MovesContentThatIsInAFileOfItsOwn) {
  std::string content(spool::kMaxInlineContent, 'x');
  content += "\r\n";
  const auto name = spool::content_name(add(content));
  ASSERT_TRUE(fs::exists(fs::path(place_.directory) / name));
  auto done = export_to("out", {}, true);
  ASSERT_TRUE(done) << done.error().text << out_;
  EXPECT_FALSE(fs::exists(fs::path(place_.directory) / name)) << "nobody needs it any more";
  done = import_from("out");
  ASSERT_TRUE(done) << done.error().text << out_;
  const auto after = messages_in(second_);
  ASSERT_EQ(after.size(), 1U);
  EXPECT_EQ(after[0].content, content);
  EXPECT_EQ(files(second_.directory).at(spool::content_name(after[0].id)), content);
  ASSERT_TRUE(run([&] { return spool_dump(options_, second_, ""); }));
  EXPECT_NE(out_.find("65538 octets in a file of their own"), std::string::npos) << out_;
}

TEST_F(Transfer, KeepsWhatWasDeliveredOutOfTheExport) {
  const auto id = add(std::string(kContent));
  with_engine(place_.directory, [&](spool::Engine& engine) {
    commit(engine, spool::RecordOutcomes{id, {outcome(0, mail::Disposition::delivered)}});
  });
  ASSERT_TRUE(export_to("out"));
  const auto parsed = parse_envelope_file(files(base_ / "out").at(to_string(id) + ".envelope"));
  ASSERT_TRUE(parsed) << parsed.error();
  ASSERT_EQ(parsed->recipients.size(), 2U);
  EXPECT_EQ(parsed->recipients[0].address.to_wire(), "\"b c\"@example.org");
  EXPECT_FALSE(parsed->recipients[0].failed);
  EXPECT_EQ(parsed->recipients[0].attempts, 1U);
  EXPECT_EQ(parsed->recipients[0].last->remote, "mx.example.net");
  EXPECT_TRUE(parsed->recipients[1].failed);
}

TEST_F(Transfer, ExportsAgainWhatIsTheSameAndNeverOverwrites) {
  const auto one = to_string(add(std::string(kContent)));
  const auto two = to_string(add(std::string(kContent)));
  const auto spool_before = files(place_.directory);
  ASSERT_TRUE(export_to("out", {one}));
  EXPECT_EQ(files(base_ / "out").size(), 2U);
  write(base_ / "out" / (two + ".eml"), "precious");
  const auto done = export_to("out");
  ASSERT_FALSE(done);
  EXPECT_NE(out_.find("exported " + one), std::string::npos) << out_;
  EXPECT_NE(out_.find("not exported " + two + ": "), std::string::npos) << out_;
  EXPECT_EQ(files(base_ / "out").at(two + ".eml"), "precious");
  EXPECT_EQ(files(place_.directory), spool_before) << "without --remove the queue stays as it is";
  struct stat status{};
  ASSERT_EQ(::stat((base_ / "out" / (one + ".eml")).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(Transfer, RemovesNothingThatCouldNotBeWritten) {
  const auto id = to_string(add(std::string(kContent)));
  fs::create_directory(base_ / "out");
  write(base_ / "out" / (id + ".envelope"), "precious");
  ASSERT_FALSE(export_to("out", {id}, true));
  EXPECT_EQ(messages_in(place_).size(), 1U);
  ASSERT_FALSE(export_to("elsewhere/not/there", {}, true));
  EXPECT_EQ(messages_in(place_).size(), 1U);
}

TEST_F(Transfer, NamesIdsThatAreNotThereAndMessagesThatCannotBeRead) {
  add(std::string(kContent));
  auto done = export_to("out", {"zzzz"});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().status, ExitStatus::failed);
  EXPECT_NE(out_.find("not exported zzzz: it is not in the queue"), std::string::npos) << out_;
  done = export_to("out", {"-"});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().status, ExitStatus::usage);
}

TEST_F(Transfer, GoesOnWhereARunWasBrokenOff) {
  put("one", envelope());
  put("two", envelope(), "y\r\n");
  ASSERT_TRUE(import_from("in"));
  const auto taken = messages_in(second_);
  ASSERT_EQ(taken.size(), 2U);
  // As if the first run had ended behind its commit, with one of the names changed.
  ImportJournal journal;
  {
    const auto folders = SpoolFolders::open(options_, second_, SpoolFolders::Use::read);
    ASSERT_TRUE(folders);
    journal.spool = spool::find_segments(folders->disks())->front().header->spool;
  }
  journal.entries = {{"one", taken[0].id}, {"two", taken[1].id}, {"three", {taken[1].id.value + 1'000'000}}};
  const auto in = base_ / "in";
  fs::rename(in / "two.envelope.imported", in / "two.envelope");
  fs::rename(in / "two.eml.imported", in / "two.eml");
  fs::rename(in / "one.eml.imported", in / "one.eml");
  put("three", envelope(), "z\r\n");
  write(in / "import.journal", to_text(journal));

  const auto done = import_from("in");
  ASSERT_TRUE(done) << done.error().text << out_;
  EXPECT_NE(out_.find("imported two as " + to_string(taken[1].id) + " by an earlier run"), std::string::npos)
      << out_;
  const auto all = messages_in(second_);
  ASSERT_EQ(all.size(), 3U) << "the first two are there once, and the third was never taken";
  EXPECT_EQ(all[2].content, "z\r\n");
  for (const auto& [name, content] : files(in)) EXPECT_TRUE(name.ends_with(".imported")) << name;
}

TEST_F(Transfer, IsRefusedInTheMiddleOfAnImportIntoAnotherQueue) {
  put("one", envelope());
  write(base_ / "in/import.journal", to_text(ImportJournal{4711, {{"one", {3}}}}));
  auto done = import_from("in");
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().text.find("into another queue"), std::string::npos) << done.error().text;
  write(base_ / "in/import.journal", "nonsense");
  done = import_from("in");
  ASSERT_FALSE(done);
  EXPECT_TRUE(messages_in(second_).empty());
  EXPECT_TRUE(fs::exists(base_ / "in/one.eml"));
}

TEST_F(Transfer, LeavesWhatIsMalformedWhereItIsAndTakesTheRest) {
  put("good", envelope());
  put("text", "nonsense");
  put("no-recipient", envelope(""));
  put("address", envelope(R"({"address":"nobody","state":"open"})"));
  put("bare-lf", envelope(), "x\n");
  put("bare-cr", envelope(), "x\ry\r\n");
  put("cut", envelope(), "x");
  put("nul", envelope(), std::string("\0\r\n", 3));
  put("large", envelope());
  fs::resize_file(base_ / "in/large.eml", 3'000'000'000);
  put("a name", envelope());
  put("alone", envelope());
  fs::remove(base_ / "in/alone.eml");
  put("again", envelope());
  write(base_ / "in/again.eml.imported", "");
  fs::create_directory(base_ / "in/folder.envelope");
  auto other = envelope();
  other.insert(1, R"("octets":4,)");
  put("octets", other);
  other = envelope();
  other.insert(1, R"("xxh3":"00",)");
  put("sum", other);
  const auto done = import_from("in");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().text, "not imported: 14 messages") << out_;
  EXPECT_NE(out_.find("imported good as "), std::string::npos) << out_;
  for (const auto* wrong :
       {"not imported text: text.envelope: is not JSON",
        "not imported no-recipient: no-recipient.envelope: recipients",
        "not imported address: address.envelope: recipients[0].address is not a mail address: nobody",
        "not imported bare-lf: bare-lf.eml has an LF without CR",
        "not imported bare-cr: bare-cr.eml has a CR", "not imported cut: cut.eml does not end with CRLF",
        "not imported nul: nul.eml has a NUL", "large.eml has 3000000000 octets",
        "not imported a name: the name may have", "alone.eml: No such file",
        "again.eml.imported says that it was imported already", "folder.envelope is no regular file",
        "octets.eml has 3 octets instead of 4", "sum.eml is not what was exported"}) {
    EXPECT_NE(out_.find(wrong), std::string::npos) << wrong << '\n' << out_;
  }
  EXPECT_TRUE(fs::exists(base_ / "in/text.envelope"));
  EXPECT_TRUE(fs::exists(base_ / "in/bare-lf.eml"));
  EXPECT_EQ(messages_in(second_).size(), 1U);
}

TEST_F(Transfer, GivesNewFilesOfTheQueueToItsOwner) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  for (int i = 0; i < 12; ++i) put(std::to_string(i), envelope(), std::string(12'000, 'x') + "\r\n");
  const auto chown = [](const fs::path& path) { return ::chown(path.c_str(), 71'003, 71'004); };
  ASSERT_EQ(chown(second_.directory), 0);
  std::size_t before = 0;
  for (const auto& entry : fs::directory_iterator(second_.directory)) {
    ASSERT_EQ(chown(entry.path()), 0);
    ++before;
  }
  options_.json = true;
  const auto done = import_from("in");
  ASSERT_TRUE(done) << done.error().text << out_;
  EXPECT_EQ(boost::json::parse(out_).at("imported"), 12);
  std::size_t after = 0;
  for (const auto& entry : fs::directory_iterator(second_.directory)) {
    struct stat status{};
    ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, 71'003U) << entry.path();
    EXPECT_EQ(status.st_gid, 71'004U) << entry.path();
    ++after;
  }
  EXPECT_GT(after, before) << "else there was no new file";
}

TEST_F(Transfer, TellsAMessageThatCannotBeReadAndExportsTheOthers) {
  std::string one(9'000, 'x');
  one += "\r\n";
  add(one);
  const auto two = to_string(add(std::string(kContent)));
  damage("Subject: x");
  const auto done = export_to("out");
  EXPECT_TRUE(done) << "what is damaged is not in the queue: check names it\n" << out_;
  EXPECT_EQ(out_.find(two), std::string::npos) << out_;
  EXPECT_FALSE(run([&] { return spool_check(options_, place_); }));
}

}  // namespace
}  // namespace sternpost::tool

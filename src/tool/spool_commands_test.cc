#include "tool/spool_commands.h"

#include <gtest/gtest.h>
#include <sys/file.h>

#include <boost/json.hpp>

#include "tool/test_spool.h"

namespace sternpost::tool {
namespace {

class SpoolCheck : public TestSpool {
 protected:
  Outcome<void> check() {
    return run([&] { return spool_check(options_, place_); });
  }
};

class SpoolDump : public SpoolCheck {
 protected:
  Outcome<void> dump(const std::string& id = "") {
    return run([&] { return spool_dump(options_, place_, id); });
  }
};

TEST_F(SpoolCheck, SaysThatAWholeQueueIsWholeAndLeavesItAlone) {
  add("Subject: x\r\n\r\nsome text\r\n");
  const auto before = files(place_.directory);
  const auto done = check();
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_NE(out_.find("messages: 1 in the queue"), std::string::npos) << out_;
  EXPECT_NE(out_.find("the queue is whole\n"), std::string::npos) << out_;
  options_.json = true;
  ASSERT_TRUE(check());
  const auto value = boost::json::parse(out_);
  EXPECT_TRUE(value.at("whole").as_bool());
  EXPECT_EQ(value.at("messages"), 1);
  EXPECT_TRUE(value.at("damaged").as_array().empty());
  EXPECT_EQ(files(place_.directory), before);
}

TEST_F(SpoolCheck, NamesWhatIsDamaged) {
  const auto id = add("Subject: x\r\n\r\nsome text\r\n");
  add("Subject: y\r\n\r\nanother\r\n");
  damage("some text");
  const auto before = files(place_.directory);
  const auto done = check();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().status, ExitStatus::failed);
  EXPECT_EQ(done.error().text,
            "the queue is damaged: places: 1, messages lost: 1, messages that cannot be read: 0");
  EXPECT_NE(out_.find("damaged: segment-0000 at "), std::string::npos) << out_;
  EXPECT_NE(out_.find(" of message " + to_string(id)), std::string::npos) << out_;
  EXPECT_NE(out_.find("lost: message " + to_string(id) +
                      ", from <sender@example.net>, to <a@example.org>, to <\"b c\"@example.org>, to "
                      "<c@example.org>, arrived 2023-11-14T22:13:20.123456Z\n"),
            std::string::npos)
      << out_;
  EXPECT_EQ(files(place_.directory), before);
  options_.json = true;
  ASSERT_FALSE(check());
  const auto value = boost::json::parse(out_);
  EXPECT_FALSE(value.at("whole").as_bool());
  const auto& damaged = value.at("damaged").as_array().at(0);
  EXPECT_EQ(damaged.at("id"), boost::json::string(to_string(id)));
  EXPECT_EQ(damaged.at("file"), "segment-0000");
  const auto& lost = value.at("lost").as_array();
  ASSERT_EQ(lost.size(), 1U);
  EXPECT_EQ(lost[0].at("id"), boost::json::string(to_string(id)));
  EXPECT_EQ(lost[0].at("recipients").as_array().at(2), "c@example.org");
}

TEST_F(SpoolCheck, CallsNoMessageLostThatWasFinishedOrOfWhichMoreIsThere) {
  const auto finished = add("first text");
  const auto live = add("second text");
  with_engine(place_.directory, [&](spool::Engine& engine) {
    for (std::uint32_t i = 0; i < 3; ++i) {
      commit(engine, spool::RecordOutcomes{finished, {outcome(i, mail::Disposition::deleted)}});
    }
    commit(engine,
           spool::RecordOutcomes{live, {{0, mail::Disposition::deferred, {450, {}, "a reply"}, {}, ""}}});
    commit(engine, spool::Hold{live});  // the last group would be taken for a torn tail
  });
  damage("first text");
  damage("a reply");
  ASSERT_FALSE(check());
  EXPECT_NE(out_.find("messages: 1 in the queue"), std::string::npos) << out_;
  EXPECT_NE(out_.find(" of message " + to_string(finished)), std::string::npos) << out_;
  EXPECT_NE(out_.find(" of message " + to_string(live)), std::string::npos) << out_;
  EXPECT_EQ(out_.find("lost: "), std::string::npos) << out_;
}

TEST_F(SpoolCheck, TellsOfALostMessageAsMuchAsCanBeRead) {
  const auto id = add("some text");
  add("another");
  damage("sender@example.net");
  ASSERT_FALSE(check());
  EXPECT_NE(out_.find("lost: message " + to_string(id) + ", of which nothing else can be read\n"),
            std::string::npos)
      << out_;
}

TEST_F(SpoolCheck, FindsWhatIsMissing) {
  add("x");
  std::filesystem::remove(place_.directory + "/segment-0001");
  const auto done = check();
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().text.find("segment-0001 is missing"), std::string::npos) << done.error().text;
}

TEST_F(SpoolCheck, ReadsTheFolderOfTheDeferredLogToo) {
  add("x");
  const auto deferred = base_ / "deferred";
  std::filesystem::create_directory(deferred);
  const auto prepare = [](spool::Engine& engine) {
    while (engine.maintain().value_or(false)) {
    }
  };
  with_engine(place_.directory, prepare, deferred);
  ASSERT_FALSE(files(deferred).empty());
  auto done = check();
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().text.find("is missing"), std::string::npos) << done.error().text;
  place_.deferred_directory = deferred;
  done = check();
  EXPECT_TRUE(done) << done.error().text;
  const UniqueFd folder(::open(deferred.c_str(), O_RDONLY | O_DIRECTORY));
  ASSERT_EQ(::flock(folder.get(), LOCK_EX), 0);
  done = check();
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().text.find(deferred.string() + " is in use"), std::string::npos) << done.error().text;
  place_.deferred_directory = place_.directory;
  EXPECT_NE(check().error().text.find("is missing"), std::string::npos) << "named twice, it is one folder";
}

TEST_F(SpoolCheck, RefusesAFolderThatIsNoQueue) {
  place_.directory = base_;
  auto done = check();
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().text.find("is not the folder of a queue"), std::string::npos) << done.error().text;
  place_.directory = base_ / "nowhere";
  done = check();
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().text.find("does not exist"), std::string::npos) << done.error().text;
}

TEST_F(SpoolCheck, IsRefusedBesideWhoeverWritesAndNotBesideAReader) {
  const UniqueFd folder(::open(place_.directory.c_str(), O_RDONLY | O_DIRECTORY));
  ASSERT_EQ(::flock(folder.get(), LOCK_EX), 0);
  const auto done = check();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().status, ExitStatus::failed);
  EXPECT_NE(done.error().text.find("is in use; stop "), std::string::npos) << done.error().text;
  EXPECT_EQ(out_, "");
  ASSERT_EQ(::flock(folder.get(), LOCK_SH), 0);
  EXPECT_TRUE(check());
  EXPECT_FALSE(SpoolFolders::open(options_, place_, SpoolFolders::Use::write));
}

TEST_F(SpoolDump, PrintsOneLineForEachRecordInOrder) {
  const auto id = to_string(add("Subject: x\r\n\r\nsome text\r\n", true));
  const auto done = dump();
  ASSERT_TRUE(done) << done.error().text;
  std::istringstream lines(out_);
  std::string line;
  std::getline(lines, line);
  for (const auto& part :
       {std::string("segment-0000:"), " message   " + id, std::string("25 octets, held"),
        std::string("from <sender@example.net>"), std::string("to <\"b c\"@example.org>")}) {
    EXPECT_NE(line.find(part), std::string::npos) << part << '\n' << line;
  }
  EXPECT_EQ(out_.find("some text"), std::string::npos);
  std::getline(lines, line);
  EXPECT_NE(line.find(" outcome   " + id), std::string::npos) << line;
  EXPECT_NE(line.find("recipient 1 deferred 1970-01-01T00:00:07.000000Z: 450 4.2.0 not \"now\" (said by "
                      "mx.example.net)"),
            std::string::npos)
      << line;
  std::getline(lines, line);
  EXPECT_NE(line.find("recipient 2 failed"), std::string::npos) << line;
  EXPECT_FALSE(std::getline(lines, line)) << line;
}

TEST_F(SpoolDump, PrintsTheSameAsJson) {
  const auto id = add("x");
  options_.json = true;
  ASSERT_TRUE(dump());
  const auto records = boost::json::parse(out_).as_array();
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[0].at("type"), "message");
  EXPECT_EQ(records[0].at("log"), "incoming");
  EXPECT_EQ(records[2].at("id"), boost::json::string(to_string(id)));
}

TEST_F(SpoolDump, ShowsOneMessageAndWhatMayHaveBeenItsOwn) {
  const auto one = to_string(add("first"));
  const auto two = to_string(add("second"));
  ASSERT_TRUE(dump(two));
  EXPECT_EQ(out_.find(" " + one + " "), std::string::npos) << out_;
  EXPECT_NE(out_.find(" " + two + " "), std::string::npos) << out_;
  damage("second");
  ASSERT_TRUE(dump(two)) << "that is damaged is no failure: it is what is shown";
  EXPECT_NE(out_.find(" damaged   " + two), std::string::npos) << out_;
  const auto wrong = dump("not an id");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().status, ExitStatus::usage);
}

TEST_F(SpoolDump, SaysOfARottenEndWhatACheckSays) {
  QueueId last;
  with_engine(place_.directory, [&](spool::Engine& engine) {
    spool::AddMessage message{*engine.lease(1), {}, "the last one", false};
    message.envelope.recipients.push_back(*mail::Mailbox::from_wire("a@example.org"));
    last = message.id;
    commit(engine, message);
    EXPECT_TRUE(engine.write_checkpoint());
  });
  damage("the last one");
  EXPECT_FALSE(check());
  EXPECT_NE(out_.find(", of message " + to_string(last)), std::string::npos) << out_;
  ASSERT_TRUE(dump());
  EXPECT_NE(out_.find(" damaged   " + to_string(last)), std::string::npos) << out_;
  EXPECT_EQ(out_.find("torn tail"), std::string::npos) << out_;
}

}  // namespace
}  // namespace sternpost::tool

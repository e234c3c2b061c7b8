#include "tool/command_line.h"

#include <gtest/gtest.h>

#include <CLI/Error.hpp>

#include "tool/manual.h"

namespace sternpost::tool {
namespace {

/// Whether the words are a command line that would run something.
bool parses(std::vector<std::string> words, Invocation& invocation) {
  const auto app = make_command_line(invocation);
  std::ranges::reverse(words);  // the order that the parser takes them in
  try {
    app->parse(words);
  } catch (const CLI::ParseError&) {
    return false;
  }
  return static_cast<bool>(invocation.command);
}

bool parses(std::vector<std::string> words) {
  Invocation invocation;
  return parses(std::move(words), invocation);
}

TEST(CommandLine, TakesEveryCommand) {
  for (const auto& words :
       std::vector<std::vector<std::string>>{{"start", "--foreground"},
                                             {"stop"},
                                             {"reload"},
                                             {"status", "--counters"},
                                             {"config", "check"},
                                             {"config", "show"},
                                             {"config", "explain"},
                                             {"config", "explain", "hostname"},
                                             {"queue", "list"},
                                             {"queue", "show", "000b"},
                                             {"queue", "hold", "000b", "000c"},
                                             {"queue", "release", "000b"},
                                             {"queue", "release", "--held"},
                                             {"queue", "delete", "000b"},
                                             {"spool", "check"},
                                             {"spool", "dump", "--id", "000b"},
                                             {"spool", "export", "out", "000b", "--remove"},
                                             {"spool", "import", "in", "--directory", "d"},
                                             {"why", "a@example.org", "--most", "3"},
                                             {"show", "plan"}}) {
    EXPECT_TRUE(parses(words)) << words.front() << ' ' << words.back();
  }
}

TEST(CommandLine, TakesTheCommonOptionsBeforeAndBehindTheCommand) {
  Invocation before;
  ASSERT_TRUE(parses({"--state", "/s", "--json", "queue", "list"}, before));
  EXPECT_EQ(before.options.state, "/s");
  EXPECT_TRUE(before.options.json);
  Invocation behind;
  ASSERT_TRUE(parses({"queue", "list", "--config", "c.toml", "--json"}, behind));
  EXPECT_EQ(behind.options.config, "c.toml");
  EXPECT_TRUE(behind.options.json);
}

TEST(CommandLine, TakesWhichQueueIsMeantBehindTheCommand) {
  Invocation invocation;
  ASSERT_TRUE(
      parses({"spool", "export", "--directory", "/d", "--deferred-directory", "/e", "out", "000b", "000c"},
             invocation));
  EXPECT_EQ(invocation.spool.directory, "/d");
  EXPECT_EQ(invocation.spool.deferred_directory, "/e");
  EXPECT_EQ(invocation.folder, "out");
  EXPECT_EQ(invocation.ids, (std::vector<std::string>{"000b", "000c"}));
  EXPECT_FALSE(invocation.remove);
}

TEST(CommandLine, RefusesWhatItDoesNotKnow) {
  for (const auto& words :
       std::vector<std::vector<std::string>>{{},
                                             {"begin"},
                                             {"queue"},
                                             {"queue", "show"},
                                             {"queue", "hold"},
                                             {"queue", "hold", "--held"},
                                             {"queue", "release"},
                                             {"queue", "release", "000b", "--held"},
                                             {"queue", "delete"},
                                             {"spool"},
                                             {"spool", "check", "all"},
                                             {"spool", "check", "--deferred-directory", "d"},
                                             {"spool", "export"},
                                             {"spool", "import"},
                                             {"spool", "import", "in", "000b"},
                                             {"why"},
                                             {"start", "now"},
                                             {"stop", "--hard"},
                                             {"why", "a@b", "--most", "0"}}) {
    EXPECT_FALSE(parses(words));
  }
}

TEST(Manual, HasEveryCommandThatIsForPeople) {
  Invocation invocation;
  const auto app = make_command_line(invocation);
  const auto manual = program_manual(*app);
  for (const auto* name :
       {"start", "stop", "reload", "status", "config check", "config show", "config explain", "queue list",
        "queue show", "queue hold", "queue release", "queue delete", "spool check", "spool dump",
        "spool export", "spool import", "why", "show plan"}) {
    EXPECT_NE(manual.find(std::string(".SS \"sternpost ") + name + "\""), std::string::npos) << name;
  }
  EXPECT_EQ(manual.find("sternpost manual\""), std::string::npos);
}

TEST(Manual, RefusesADocumentThatThereIsNot) {
  Invocation invocation;
  const auto app = make_command_line(invocation);
  EXPECT_FALSE(print_document(*app, "passwd.5"));
}

}  // namespace
}  // namespace sternpost::tool

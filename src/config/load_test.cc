#include "config/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/codec.h"
#include "config/document.h"
#include "config/make_slices.h"
#include "config/registry.h"

namespace sternpost::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kThreeLines =
    "setup = \"internet-site\"\n"
    "hostname = \"Mail.example.org\"\n"
    "domains = [\"example.org\", \"Example.NET\"]\n";

std::expected<Values, std::vector<std::string>> load_text(std::string_view text, std::string state = "") {
  return load({text, "sternpost.toml", std::move(state)});
}

Values good(std::string_view text, std::string state = "") {
  auto values = load_text(text, std::move(state));
  if (!values) ADD_FAILURE() << values.error().front();
  return values.value();
}

std::string with(std::string_view more) {
  return std::string(kThreeLines) + std::string(more);
}

TEST(Load, ThreeLinesAreACompleteConfiguration) {
  const auto values = good(kThreeLines);
  EXPECT_EQ(values.text("hostname"), "mail.example.org");
  EXPECT_THAT(values.list("domains"), ElementsAre("example.org", "example.net"));
  EXPECT_EQ(values.number("smtp.max_message"), 25U << 20U);
  EXPECT_EQ(values.settings().size(), registry().size());
}

TEST(Load, ASetupNeedsLessAndChangesDefaults) {
  const auto values = good("setup = \"local-only\"\nhostname = \"box.example.org\"\n");
  EXPECT_THAT(values.list("domains"), ElementsAre("box.example.org"));
  EXPECT_THAT(values.list("smtp.listen"), ElementsAre("127.0.0.1:25", "[::1]:25"));
  EXPECT_EQ(to_string(values.at("smtp.workers").origin), "setup local-only");
}

TEST(Load, EveryValueKnowsItsOrigin) {
  const auto values = good(with("[smtp]\nmax_recipients = 500\n"));
  EXPECT_EQ(to_string(values.at("smtp.max_recipients").origin), "sternpost.toml:5");
  EXPECT_EQ(to_string(values.at("smtp.max_hops").origin), "default");
  EXPECT_EQ(values.rule("smtp.max_recipients"), (Rule{"smtp.max_recipients", "sternpost.toml", 5}));
  EXPECT_EQ(values.rule("smtp.max_hops"), (Rule{"smtp.max_hops", "", 0}));
}

TEST(Load, StateOptionPutsEveryPathBelowItsFolder) {
  const auto values =
      good(with("state_directory = \"/elsewhere\"\n[mailboxes]\ndirectory = \"/srv/mail\"\n"), "/tmp/x/");
  EXPECT_EQ(values.text("state_directory"), "/tmp/x");
  EXPECT_EQ(values.text("mailboxes.directory"), "/tmp/x/mail");
  EXPECT_EQ(to_string(values.at("state_directory").origin), "option --state");
  EXPECT_EQ(good(kThreeLines, "/tmp/x").text("mailboxes.directory"), "/tmp/x/mail");
  EXPECT_EQ(good(with("[mailboxes]\ndirectory = \"/tmp/x/m\"\n"), "/tmp/x").text("mailboxes.directory"),
            "/tmp/x/m");
}

TEST(Load, ARelativeMailFolderIsBelowTheStateDirectory) {
  const auto values = good(with("state_directory = \"/srv/post\"\n[mailboxes]\ndirectory = \"boxes\"\n"));
  EXPECT_EQ(values.text("mailboxes.directory"), "/srv/post/boxes");
  EXPECT_EQ(good(kThreeLines).text("mailboxes.directory"), "/var/mail/sternpost");
}

TEST(Load, TheDeferredFolderIsThatOfTheQueueUnlessAnotherIsNamed) {
  EXPECT_EQ(good(kThreeLines).text("spool.deferred_directory"), "/var/lib/sternpost/spool");
  const auto other = with("[spool]\ndeferred_directory = \"/srv/deferred\"\n");
  EXPECT_EQ(good(other).text("spool.deferred_directory"), "/srv/deferred");
  EXPECT_EQ(good(other, "/tmp/x").text("spool.deferred_directory"), "/tmp/x/spool");
}

TEST(Load, StateOptionMustFitASocketName) {
  EXPECT_TRUE(load_text(kThreeLines, "/" + std::string(94, 'x')));
  const auto refused = load_text(kThreeLines, "/" + std::string(95, 'x'));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error(), ElementsAre(HasSubstr("option --state")));
  EXPECT_FALSE(load_text(kThreeLines, "relative"));
}

TEST(Load, ReportsSeveralErrorsInTheOrderOfTheFile) {
  const auto refused = load_text("hostnam = \"a\"\n[smtp]\nmax_hops = \"many\"\nworkers = -1\n");
  ASSERT_FALSE(refused);
  EXPECT_THAT(
      refused.error(),
      ElementsAre(HasSubstr("sternpost.toml:1: hostnam: there is no such key; did you mean \"hostname\"?"),
                  HasSubstr("sternpost.toml:3: smtp.max_hops: \"many\" is not accepted"),
                  HasSubstr("sternpost.toml:4: smtp.workers: -1 is not accepted"),
                  HasSubstr("sternpost.toml: setup: is missing"),
                  HasSubstr("sternpost.toml: hostname: is missing")));
}

TEST(Load, BoundsTheNumberAndLengthOfItsMessages) {
  std::string text(kThreeLines);
  for (int i = 0; i < 1'000; ++i) text += "key" + std::to_string(i) + std::string(200, 'x') + " = 1\n";
  const auto refused = load_text(text);
  ASSERT_FALSE(refused);
  ASSERT_EQ(refused.error().size(), kMaxErrors + 1);
  EXPECT_EQ(refused.error().back(), "sternpost.toml: 980 more errors");
  for (const auto& line : refused.error()) EXPECT_LE(line.size(), 1'000U);
}

TEST(Load, PrintsNothingThatATerminalWouldObey) {
  const auto refused = load_text("\"\\u001b[31m\" = 1\nhostname = \"\\u0007\"\n");
  ASSERT_FALSE(refused);
  for (const auto& line : refused.error()) {
    for (const char c : line) EXPECT_TRUE(c >= 0x20 && c < 0x7F) << line;
  }
}

TEST(Load, BoundsEveryList) {
  std::string domains = "setup = \"internet-site\"\nhostname = \"a.example\"\ndomains = [";
  for (int i = 0; i < 10'000; ++i) domains += "\"d" + std::to_string(i) + ".example\",";
  EXPECT_TRUE(load_text(domains + "]"));
  EXPECT_FALSE(load_text(domains + "\"one-more.example\"]"));
}

TEST(Load, BoundsTheListOfMailboxes) {
  std::string text = with("[mailboxes]\nsource = \"list\"\n[mailboxes.list]\n");
  for (int i = 0; i < 20'000; ++i) text += "\"u" + std::to_string(i) + "@example.org\" = \"u\"\n";
  EXPECT_TRUE(load_text(text));
  EXPECT_FALSE(load_text(text + "\"one-more@example.org\" = \"u\"\n"));
}

TEST(Load, UsesOnlyTheEndOfALongFileName) {
  const auto values = load({kThreeLines, std::string(100'000, 'f') + "end.toml", ""});
  ASSERT_TRUE(values);
  const auto rule = values->rule("domains");
  EXPECT_LE(rule.file.size(), 300U);
  EXPECT_TRUE(rule.file.ends_with("end.toml"));
}

TEST(Load, SurvivesGarbage) {
  std::mt19937 random(2);
  const auto document = with(
      "[smtp]\nlisten = [\"127.0.0.1:25\"]\n[mailboxes]\nsource = \"list\"\n[mailboxes.list]\n"
      "\"a@example.org\" = \"a/\"\n");
  ASSERT_TRUE(load_text(document));
  for (int round = 0; round < 5'000; ++round) {
    auto text = document;
    for (unsigned i = 0; i < 1 + random() % 4; ++i) {
      text[random() % text.size()] = static_cast<char>(random());
    }
    const auto values = load_text(text);
    if (!values) {
      EXPECT_FALSE(values.error().empty());
    }
  }
}

TEST(Slices, CarryTheListOfMailboxesWithItsLines) {
  const auto slices = make_slices(
      good(with("[mailboxes]\nsource = \"list\"\n[mailboxes.list]\n\"Alice@example.org\" = \"alice/\"\n"
                "\"@example.net\" = \"rest\"\n")));
  const Rule first{"mailboxes.list", "sternpost.toml", 7};
  const Rule second{"mailboxes.list", "sternpost.toml", 8};
  EXPECT_THAT(slices.router.mailboxes, ElementsAre(MailboxEntry{"alice@example.org", "alice", first},
                                                   MailboxEntry{"@example.net", "rest", second}));
  EXPECT_EQ(slices.virtual_mailbox.mailboxes, slices.router.mailboxes);
  EXPECT_EQ(slices.router.mailbox_source, MailboxSource::list);
  EXPECT_EQ(slices.router.mailbox_rule, (Rule{"mailboxes.list", "sternpost.toml", 6}));
}

TEST(Slices, CarryEveryValueOfTheFile) {
  const auto slices = make_slices(good(with(
      "postmaster = \"Alice\"\n[smtp]\nlisten = [\"192.0.2.1:2525\"]\nworkers = 3\nmax_message = \"1 MiB\"\n"
      "command_timeout = \"90s\"\nnormalize = true\nhold = true\n[processes]\nrestart_delay = \"20ms\"\n"
      "[queue]\nretry_min = 60\n[log]\ntext = false\n[sandbox]\nmode = \"weaker\"\n[spool]\nsegment = \"8 "
      "MiB\"\n")));
  EXPECT_THAT(slices.master.smtp_listen, ElementsAre(Listener{"192.0.2.1", 2525}));
  EXPECT_EQ(slices.master.smtpd_workers, 3U);
  EXPECT_EQ(slices.master.restart_delay_ms, 20U);
  EXPECT_TRUE(slices.master.weaker_sandbox);
  EXPECT_EQ(slices.smtpd.max_message_bytes, 1U << 20U);
  EXPECT_EQ(slices.spool.max_message_bytes, (1U << 20U) + kTraceAllowance);
  EXPECT_EQ(slices.spool.segment_bytes, 8U << 20U);
  EXPECT_EQ(slices.smtpd.command_seconds, 90U);
  EXPECT_TRUE(slices.smtpd.normalize);
  EXPECT_TRUE(slices.smtpd.hold);
  EXPECT_EQ(slices.smtpd.rules.normalize.line, 10U);
  EXPECT_EQ(slices.qmgr.retry_min_seconds, 60U);
  EXPECT_FALSE(slices.log.text);
  EXPECT_EQ(slices.router.postmaster, "alice");
}

TEST(Slices, CarryWhoMayDoWhat) {
  const auto slices = make_slices(good(
      with("mailboxes.owner = \"vmail\"\nadmin.control_group = \"postadmin\"\nadmin.max_connections = 3\n"
           "sandbox.uid_base = 80000\nmailboxes.first_uid = 500\n")));
  EXPECT_EQ(slices.master.mail_owner, "vmail");
  EXPECT_EQ(slices.master.control_group, "postadmin");
  EXPECT_EQ(slices.master.uid_base, 80'000U);
  EXPECT_EQ(slices.admin.max_connections, 3U);
  EXPECT_EQ(slices.users.first_uid, 500U);
  EXPECT_FALSE(slices.master.weaker_sandbox);
}

TEST(Slices, TellDnsWhomToAskAndMasterAtWhichPorts) {
  const auto from_root = make_slices(good(kThreeLines));
  EXPECT_TRUE(from_root.dns.servers.empty());
  EXPECT_EQ(from_root.dns.cache_bytes, 16U << 20U);
  EXPECT_EQ(from_root.dns.timeout_seconds, 30U);
  EXPECT_EQ(from_root.master.dns_ports, std::vector<std::uint16_t>{53});
  EXPECT_EQ(from_root.master.trust_anchor, "/usr/share/dns/root.key");
  const auto forwarding =
      make_slices(good(with("[dns]\nservers = [\"192.0.2.53:5353\", \"[::1]:853\", \"127.0.0.1:5353\"]\n"
                            "trust_anchor = \"/etc/anchor\"\ncache = \"64 MiB\"\ntimeout = \"5s\"\n")));
  EXPECT_EQ(forwarding.dns.servers,
            (std::vector<Listener>{{"192.0.2.53", 5353}, {"::1", 853}, {"127.0.0.1", 5353}}));
  EXPECT_EQ(forwarding.dns.cache_bytes, 64U << 20U);
  EXPECT_EQ(forwarding.dns.timeout_seconds, 5U);
  EXPECT_EQ(forwarding.master.dns_ports, (std::vector<std::uint16_t>{853, 5353}));
  EXPECT_EQ(forwarding.master.trust_anchor, "/etc/anchor");
  EXPECT_EQ(decode<DnsSlice>(encode(forwarding.dns)), forwarding.dns);
}

TEST(Slices, SurviveTheWayThroughTheCodec) {
  const auto slices = make_slices(good(kThreeLines));
  EXPECT_EQ(decode<MasterSlice>(encode(slices.master)), slices.master);
  EXPECT_EQ(decode<SmtpdSlice>(encode(slices.smtpd)), slices.smtpd);
  EXPECT_EQ(decode<RouterSlice>(encode(slices.router)), slices.router);
  EXPECT_EQ(decode<VirtualSlice>(encode(slices.virtual_mailbox)), slices.virtual_mailbox);
}

TEST(ToToml, PrintsWhatIsReadBackAsTheSame) {
  const auto values =
      good(with("[mailboxes]\nsource = \"list\"\n[mailboxes.list]\n\"\\\"a b\\\"@example.org\" = \"a\"\n"));
  std::string text;
  for (const auto& setting : values.settings()) {
    text += std::string(setting.parameter->key) + " = " + to_toml(*setting.parameter, setting.value) + "\n";
  }
  const auto again = good(text);
  for (std::size_t i = 0; i < values.settings().size(); ++i) {
    const auto& setting = values.settings()[i];
    if (setting.parameter->type == Type::mailboxes) continue;  // its rows have other lines now
    EXPECT_EQ(again.settings()[i].value, setting.value) << setting.parameter->key;
  }
  EXPECT_EQ(again.mailboxes("mailboxes.list").front().address, "\"a b\"@example.org");
}

}  // namespace
}  // namespace sternpost::config

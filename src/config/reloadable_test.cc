#include "config/reloadable.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "config/load.h"
#include "config/make_slices.h"
#include "config/registry.h"

namespace sternpost::config {
namespace {

/// Another value than the default of each parameter that master alone cannot take without a restart.
const std::map<std::string, std::string> kOther = {
    {"state_directory", "\"/srv/post\""},
    {"mailboxes.directory", "\"/srv/mail\""},
    {"mailboxes.owner", "\"vmail\""},
    {"admin.control_group", "\"postadmin\""},
    {"spool.deferred_directory", "\"/srv/deferred\""},
    {"sandbox.uid_base", "80000"},
    {"sandbox.mode", "\"weaker\""},
};

MasterSlice master_with(const std::string& more) {
  const auto values = load({"setup = \"local-only\"\nhostname = \"h.example\"\n" + more + "\n", "f", ""});
  EXPECT_TRUE(values) << (values ? "" : values.error().front());
  return make_slices(values.value()).master;
}

TEST(Reloadable, RefusesEveryKeyThatNeedsARestartByItsName) {
  const auto now = master_with("");
  for (const auto* parameter : registry()) {
    if (parameter->reload != Reload::restart || parameter->seen_by != "master") continue;
    const std::string key(parameter->key);
    ASSERT_TRUE(kOther.contains(key)) << "give " << key << " another value here";
    const auto done = check_reloadable(now, master_with(key + " = " + kOther.at(key)));
    ASSERT_FALSE(done) << key;
    EXPECT_TRUE(done.error().text.starts_with(key + " ")) << done.error().text;
  }
}

TEST(Reloadable, TakesEverythingElse) {
  const auto now = master_with("");
  EXPECT_TRUE(check_reloadable(now, now));
  EXPECT_TRUE(check_reloadable(
      now, master_with("smtp.listen = [\"127.0.0.1:2525\"]\nsmtp.workers = 7\n"
                       "processes.restart_delay = 5\nprocesses.drain_timeout = 9\n"
                       "dns.trust_anchor = \"/etc/anchor\"\ndns.servers = [\"192.0.2.53:5353\"]")));
}

}  // namespace
}  // namespace sternpost::config

// What bounds sessions and workers: time, descriptors, and a spool that does not keep up.
#include <sys/resource.h>
#include <unistd.h>

#include "service/smtpd/smtpd_test_rig.h"

namespace sternpost::smtpd {
namespace {

using namespace testing_rig;

/// Leaves the process without a free descriptor while it lives.
class NoDescriptors {
 public:
  NoDescriptors() {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    const int next = UniqueFd(::fcntl(0, F_DUPFD_CLOEXEC, 0)).get();
    const rlimit few{static_cast<rlim_t>(next) + 16, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    do {
      taken_.emplace_back(::fcntl(0, F_DUPFD_CLOEXEC, 0));
    } while (taken_.back());
    EXPECT_EQ(errno, EMFILE);
  }
  ~NoDescriptors() {
    taken_.clear();
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
  std::vector<UniqueFd> taken_;
};

TEST_F(Smtpd, without_descriptors_turns_clients_away_says_so_and_recovers) {
  start_all();
  Client unlucky(*this);
  Client waiting(*this);
  {
    const NoDescriptors shortage;
    EXPECT_TRUE(unlucky.is_closed());
    EXPECT_EQ(unlucky.heard(), "");
    const auto* said = records_.last(Decision::pressure);
    ASSERT_NE(said, nullptr);
    EXPECT_EQ(said->outcome, "accepting pauses");
    EXPECT_EQ(said->facts.front().value, "Too many open files");
    // It pauses: a worker that spun would have turned away everybody by now.
    loop_.run_for(20ms);
    EXPECT_FALSE(waiting.is_closed_now());
  }
  EXPECT_TRUE(waiting.hears("220"));
}

TEST_F(Smtpd, waits_for_content_as_long_as_its_own_bound_says) {
  auto hasty = slice();
  hasty.data_seconds = 1;
  start_all(hasty);
  Client client(*this);
  ASSERT_TRUE(client.begin_message());
  client.say("half a line");
  EXPECT_TRUE(client.hears("421 4.4.2 Timeout"));
  EXPECT_TRUE(client.is_closed());
  EXPECT_TRUE(spool_->commits.empty());
}

TEST_F(Smtpd, ends_a_session_that_lasts_too_long_however_busy_it_is) {
  auto brief = slice();
  brief.session_seconds = 1;
  brief.max_commands = 1'000'000;
  start_all(brief);
  Client client(*this);
  ASSERT_TRUE(client.hears("220"));
  EXPECT_TRUE(eventually([&] {
    client.say_some("NOOP\r\n");
    return client.hears_now("421 4.4.2 The session took too long");
  }));
  EXPECT_TRUE(client.is_closed());
}

TEST_F(Smtpd, lets_a_long_session_finish_its_message) {
  auto brief = slice();
  brief.session_seconds = 1;
  start_all(brief);
  Client client(*this);
  ASSERT_TRUE(client.begin_message());
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(eventually([&] {
    client.say_some("still here\r\n");
    return std::chrono::steady_clock::now() - begin > 3s;
  }));
  client.say(".\r\n");
  EXPECT_TRUE(client.hears("250 2.0.0"));
  EXPECT_TRUE(client.hears("421 4.4.2 The session took too long"));
}

TEST_F(Smtpd, asks_once_to_be_replaced_after_its_time) {
  auto brief = slice();
  brief.retire_seconds = 1;
  start_all(brief);
  EXPECT_TRUE(eventually([&] { return !retired_.empty(); }));
  EXPECT_EQ(retired_, std::vector<std::string>{"served for its time"});
  Client client(*this);
  EXPECT_TRUE(client.hears("220")) << "until the successor is there it serves";
}

TEST_F(Smtpd, takes_no_more_content_than_its_bound_while_spool_is_behind) {
  auto wide = slice();
  wide.max_message_bytes = 256'000'000;
  start(wide);
  connect_sleeping_spool();
  connect_router();
  ASSERT_TRUE(eventually([&] {
    wake_spool();
    return spool_->leases > 0;
  }));
  Client client(*this);
  ASSERT_TRUE(client.begin_message());

  const auto block = long_content();
  constexpr std::size_t kFarTooMuch = 100'000'000;
  std::size_t said = 0;
  const auto say_on = [&] {
    const auto taken = client.say_some(std::string_view(block).substr(said % block.size()));
    said += taken;
    return taken > 0;
  };
  // Spool sleeps: at some time nothing is taken any more.
  for (int quiet = 0; quiet < 100 && said < kFarTooMuch; loop_.run_for(1ms)) quiet = say_on() ? 0 : quiet + 1;
  EXPECT_LT(said, kFarTooMuch);

  // It wakes up, and everything goes on to its end.
  EXPECT_TRUE(eventually([&] {
    wake_spool();
    if (said % block.size() != 0) return say_on(), false;
    return client.say_some(".\r\n") == 3;
  }));
  EXPECT_TRUE(eventually([&] {
    wake_spool();
    return client.hears_now("250 2.0.0");
  }));
  ASSERT_EQ(spool_->commits.size(), 1U);
  const auto content = spool_->pieces + spool_->commits[0].last_piece;
  EXPECT_EQ(content.size() - content.find(block.substr(0, 40)), said);
}

TEST_F(Smtpd, goes_on_with_a_message_that_began_while_short_ones_alone_kept_spool_behind) {
  auto wide = slice();
  wide.max_sessions = wide.max_sessions_per_client = 1000;
  start(wide);
  connect_sleeping_spool();
  connect_router();
  ASSERT_TRUE(eventually([&] {
    wake_spool();
    return spool_->leases > 0;
  }));
  std::string content;
  while (content.size() < 60'000) content += "0123456789012345678901234567890123456789\r\n";
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 180; ++i) {  // each a commit without a piece ahead: more than 8 MiB
    clients.push_back(std::make_unique<Client>(*this));
    ASSERT_TRUE(clients.back()->begin_message());
    clients.back()->say(content + ".\r\n");
    loop_.run_for(1ms);
  }
  Client last(*this);
  ASSERT_TRUE(last.begin_message());
  last.say("x\r\n.\r\n");
  EXPECT_TRUE(eventually([&] {
    wake_spool();
    return last.hears_now("250 2.0.0");
  }));
  for (auto& client : clients) {
    EXPECT_TRUE(eventually([&] {
      wake_spool();
      return client->hears_now("250 2.0.0");
    }));
  }
}

}  // namespace
}  // namespace sternpost::smtpd

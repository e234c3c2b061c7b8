// What bounds sessions and workers: time and descriptors.
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

}  // namespace
}  // namespace sternpost::smtpd

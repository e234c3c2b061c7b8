// Clients that send content faster than spool takes it.
#include <algorithm>

#include "service/smtpd/flow_control.h"
#include "service/smtpd/smtpd_test_rig.h"

namespace sternpost::smtpd {
namespace {

using namespace testing_rig;
using spool_intake::kPieceBytes;
using spool_intake::kWindowBytes;

class SmtpdFlow : public Smtpd {
 protected:
  static config::SmtpdSlice wide() {
    auto wide = slice();
    wide.max_message_bytes = 256'000'000;
    wide.max_sessions = wide.max_sessions_per_client = 1000;
    return wide;
  }
  /// So much is on the way that another read would not fit. That it is not too much is asserted with each
  /// piece that comes.
  bool window_is_full(QueueId id) {
    return spool_->received[id] > kWindowBytes - FlowControl::kMostOfOneRead;
  }
  std::uint64_t on_the_way() {
    const auto counters = service_->counters();
    const auto found = std::ranges::find(counters, "bytes on the way to the queue", &control::Counter::name);
    return found == counters.end() ? 0 : found->value;
  }

  /// A client in the middle of a long message.
  class Sender {
   public:
    explicit Sender(SmtpdFlow& test) : test_(test), client_(test) { EXPECT_TRUE(client_.begin_message()); }
    /// Whether the connection took some more.
    bool say_on() {
      const auto taken = client_.say_some(std::string_view(block_).substr(said_ % block_.size()));
      said_ += taken;
      return taken > 0;
    }
    /// Until it is so, and then for as long as the connection takes more.
    void say_on_until(const std::function<bool()>& so) {
      EXPECT_TRUE(test_.eventually([&] { return say_on(), so(); }));
      for (int quiet = 0; quiet < 20 && said_ < 40 * kWindowBytes; test_.loop_.run_for(1ms)) {
        quiet = say_on() ? 0 : quiet + 1;
      }
    }
    /// Of the first message of the spool.
    void fill_window() {
      say_on_until([&] { return test_.window_is_full(QueueId{1}); });
    }
    /// To the end of the block and of the message, while `meanwhile` is done again and again.
    bool end_message(const std::function<void()>& meanwhile) {
      return test_.eventually([&] {
        meanwhile();
        if (said_ % block_.size() != 0) return say_on(), false;
        return client_.say_some(".\r\n") == 3;
      });
    }
    Client& client() { return client_; }
    [[nodiscard]] std::size_t said() const { return said_; }

   private:
    SmtpdFlow& test_;
    Client client_;
    std::string block_ = long_content();
    std::size_t said_ = 0;
  };
};

TEST_F(SmtpdFlow, reads_no_more_of_a_message_than_its_window_and_goes_on_when_spool_has_taken_some) {
  start_all(wide());
  spool_->take_at_once = false;
  Sender sender(*this);
  sender.fill_window();
  EXPECT_LE(spool_->pieces.size(), kWindowBytes);
  ASSERT_TRUE(sender.end_message([&] { spool_->take_all(); }));
  EXPECT_TRUE(eventually([&] {
    spool_->take_all();
    return sender.client().hears_now("250 2.0.0");
  }));
  ASSERT_EQ(spool_->commits.size(), 1U);
  const auto content = spool_->pieces + spool_->commits.front().last_piece;
  EXPECT_EQ(content.size() - content.find("0123456789"), sender.said());
  EXPECT_EQ(on_the_way(), 0U);
}

TEST_F(SmtpdFlow, keeps_to_the_window_where_content_grows_as_it_is_read) {
  auto normalizing = wide();
  normalizing.normalize = true;
  start_all(normalizing);
  spool_->take_at_once = false;
  Client client(*this);
  client.say("EHLO client.example\n");
  ASSERT_TRUE(client.hears("250 ENHANCEDSTATUSCODES"));
  client.say("MAIL FROM:<>\nRCPT TO:<bob@example.org>\nDATA\n");
  ASSERT_TRUE(client.hears("354"));
  const std::string lines(500'000, '\n');
  EXPECT_TRUE(eventually([&] { return client.say_some(lines), window_is_full(QueueId{1}); }));
  for (int quiet = 0; quiet < 20; loop_.run_for(1ms)) quiet = client.say_some(lines) > 0 ? 0 : quiet + 1;
  EXPECT_LE(spool_->pieces.size(), kWindowBytes);
}

TEST_F(SmtpdFlow, does_not_let_others_wait_for_a_message_that_waits) {
  start_all(wide());
  spool_->take_at_once = false;
  Sender waiting(*this);
  waiting.fill_window();
  Sender other(*this);
  EXPECT_TRUE(other.say_on());
  ASSERT_TRUE(other.end_message([] {}));
  EXPECT_TRUE(other.client().hears("250 2.0.0"));
  EXPECT_LE(spool_->received[QueueId{1}], kWindowBytes);
}

TEST_F(SmtpdFlow, refuses_a_message_whose_spool_ends_while_it_waits) {
  start_all(wide());
  spool_->take_at_once = false;
  Sender sender(*this);
  sender.fill_window();
  spool_.reset();
  ASSERT_TRUE(sender.end_message([] {}));
  EXPECT_TRUE(sender.client().hears("451 4.3.0"));
  EXPECT_EQ(records_.last(Decision::refused)->rule.name, "spool is away");
  connect_spool(5000);
  sender.client().say("MAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n");
  ASSERT_TRUE(sender.client().hears("354"));
  sender.client().say("x\r\n.\r\n");
  EXPECT_TRUE(sender.client().hears("250 2.0.0"));
  EXPECT_EQ(on_the_way(), 0U);
}

TEST_F(SmtpdFlow, does_not_hold_the_silence_against_a_client_that_it_does_not_read_from) {
  auto hasty = wide();
  hasty.data_seconds = 1;
  start_all(hasty);
  spool_->take_at_once = false;
  Sender sender(*this);
  sender.fill_window();
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(eventually([&] { return std::chrono::steady_clock::now() - begin > 3s; }));
  EXPECT_FALSE(sender.client().hears_now("421"));
  spool_->take_at_once = true;
  spool_->take_all();
  ASSERT_TRUE(sender.end_message([] {}));
  EXPECT_TRUE(sender.client().hears("250 2.0.0"));
}

TEST_F(SmtpdFlow, ends_a_session_that_waits_beyond_its_time) {
  auto brief = wide();
  brief.session_seconds = 1;
  brief.data_seconds = 5;  // the window fills within it
  start_all(brief);
  spool_->take_at_once = false;
  Sender sender(*this);
  sender.fill_window();
  EXPECT_TRUE(sender.client().hears("421 4.4.2 Timeout"));
  EXPECT_TRUE(eventually([&] { return spool_->abandoned == std::vector<QueueId>{QueueId{1}}; }));
  EXPECT_EQ(on_the_way(), 0U);
}

TEST_F(SmtpdFlow, bounds_what_long_messages_hold_together_and_leaves_room_for_short_ones) {
  start_all(wide());
  spool_->take_at_once = false;
  std::vector<std::unique_ptr<Sender>> senders;
  for (std::size_t i = 0; i < FlowControl::kMostOnTheWay / kWindowBytes; ++i) {
    senders.push_back(std::make_unique<Sender>(*this));
    senders.back()->say_on_until(
        [&] { return window_is_full(QueueId{i + 1}) || on_the_way() >= FlowControl::kMostOnTheWay / 2; });
  }
  EXPECT_GE(on_the_way(), FlowControl::kMostOnTheWay / 2);
  EXPECT_LE(on_the_way(), FlowControl::kMostOnTheWay / 2 + senders.size() * FlowControl::kMostOfOneRead);
  Client brief(*this);
  ASSERT_TRUE(brief.begin_message());
  brief.say("x\r\n.\r\n");
  EXPECT_TRUE(brief.hears("250 2.0.0"));
  spool_->take_at_once = true;
  spool_->take_all();
  for (auto& sender : senders) {
    ASSERT_TRUE(sender->end_message([] {}));
    EXPECT_TRUE(sender->client().hears("250 2.0.0"));
  }
  EXPECT_EQ(on_the_way(), 0U);
}

TEST_F(SmtpdFlow, goes_on_with_a_message_that_began_while_short_ones_alone_took_all_room) {
  start_all(wide());
  spool_->commit_at_once = false;
  std::string content;
  while (content.size() < 60'000) content += "0123456789012345678901234567890123456789\r\n";
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 300; ++i) {  // each a commit without a piece ahead
    clients.push_back(std::make_unique<Client>(*this));
    ASSERT_TRUE(clients.back()->begin_message());
    clients.back()->say(content + ".\r\n");
    loop_.run_for(1ms);
  }
  EXPECT_GE(on_the_way(), FlowControl::kMostOnTheWay);
  EXPECT_LE(on_the_way(), FlowControl::kMostOnTheWay + 2 * content.size());
  Client last(*this);
  ASSERT_TRUE(last.begin_message());
  last.say("x\r\n.\r\n");
  loop_.run_for(5ms);
  EXPECT_LT(spool_->commits.size(), clients.size());
  spool_->commit_at_once = true;
  for (const auto& commit : spool_->commits) spool_->committed(commit.id);
  EXPECT_TRUE(last.hears("250 2.0.0"));
  for (auto& client : clients) EXPECT_TRUE(client->hears("250 2.0.0"));
  EXPECT_EQ(on_the_way(), 0U);
}

}  // namespace
}  // namespace sternpost::smtpd

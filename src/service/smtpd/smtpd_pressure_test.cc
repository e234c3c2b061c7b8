// What clients meet with at each level of pressure.
#include "service/smtpd/smtpd_test_rig.h"

namespace sternpost::smtpd {
namespace {

using namespace testing_rig;
using queue::PressureLevel;

class SmtpdPressure : public Smtpd {
 protected:
  /// Tells, and waits until the worker has heard: a new client, who is greeted or not, sees it.
  void press(PressureLevel level) {
    spool_->press(level, level == PressureLevel::none ? "" : "backlog: 12 messages wait, 3 may");
    loop_.run_for(10ms);
  }
};

TEST_F(SmtpdPressure, SlowsDownButTakesTheMessage) {
  start_all();
  Client client(*this);
  client.say("EHLO client.example\r\n");
  ASSERT_TRUE(client.hears("250 ENHANCEDSTATUSCODES"));
  press(PressureLevel::slow);
  client.say("MAIL FROM:<a@example.net>\r\nRCPT TO:<bob@example.org>\r\n");
  ASSERT_TRUE(client.hears("250 2.1.5"));
  client.say("DATA\r\n");
  loop_.run_for(20ms);
  EXPECT_FALSE(client.hears_now("354")) << "not for a moment";
  ASSERT_TRUE(client.hears("354"));
  client.say("Subject: late\r\n\r\n.\r\n");
  EXPECT_TRUE(client.hears("250 2.0.0"));
}

TEST_F(SmtpdPressure, ItsEndSetsFreeWhoeverWasSlowedDown) {
  start_all();
  std::vector<std::unique_ptr<Client>> clients;
  press(PressureLevel::slow);
  for (int i = 0; i < 3; ++i) {
    auto& client = *clients.emplace_back(std::make_unique<Client>(*this));
    client.say("EHLO client.example\r\n");
    ASSERT_TRUE(client.hears("250 ENHANCEDSTATUSCODES"));
    client.say("MAIL FROM:<a@example.net>\r\nRCPT TO:<bob@example.org>\r\n");
    ASSERT_TRUE(client.hears("250 2.1.5"));
    client.say("DATA\r\n");
  }
  loop_.run_for(20ms);
  press(PressureLevel::none);
  for (const auto& client : clients) EXPECT_TRUE(client->hears("354"));
}

TEST_F(SmtpdPressure, RefusesNewTransactionsAndSaysWhy) {
  start_all();
  Client under_way(*this);
  ASSERT_TRUE(under_way.begin_message());
  Client client(*this);
  ASSERT_TRUE(client.hears("220"));
  press(PressureLevel::refuse);
  client.say("EHLO client.example\r\n");
  ASSERT_TRUE(client.hears("250 ENHANCEDSTATUSCODES"));
  client.say("MAIL FROM:<a@example.net>\r\n");
  EXPECT_TRUE(client.hears("452 4.3.1 The queue is overloaded, try again later"));
  const auto* refused = records_.last(Decision::refused);
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(refused->rule.name, "pressure: backlog: 12 messages wait, 3 may");
  under_way.say("Subject: begun before\r\n\r\n.\r\n");
  EXPECT_TRUE(under_way.hears("250 2.0.0")) << "what was begun is taken";
  press(PressureLevel::none);
  client.say("MAIL FROM:<a@example.net>\r\n");
  EXPECT_TRUE(client.hears("250 2.1.0"));
}

TEST_F(SmtpdPressure, ClosesTheDoor) {
  start_all();
  Client inside(*this);
  ASSERT_TRUE(inside.hears("220"));
  press(PressureLevel::close);
  Client outside(*this);
  EXPECT_TRUE(outside.hears("421 4.3.2 The queue is overloaded, try again later"));
  EXPECT_TRUE(outside.is_closed());
  inside.say("EHLO client.example\r\n");
  ASSERT_TRUE(inside.hears("250 ENHANCEDSTATUSCODES"));
  inside.say("MAIL FROM:<a@example.net>\r\n");
  EXPECT_TRUE(inside.hears("452 4.3.1"));
  press(PressureLevel::none);
  Client later(*this);
  EXPECT_TRUE(later.hears("220"));
}

}  // namespace
}  // namespace sternpost::smtpd

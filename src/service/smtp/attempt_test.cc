#include "service/smtp/attempt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sternpost::smtp_client {
namespace {

using mail::Disposition;
using smtp::Scope;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const Endpoint kFirst{"a.example", "192.0.2.1", 25};
const Endpoint kSecond{"b.example", "192.0.2.2", 25};
const mail::Reply kAccepted{250, {2, 0, 0}, "taken"};
const mail::Reply kRefused{550, {5, 1, 1}, "nobody here"};
const mail::Reply kLater{451, {4, 3, 0}, "later"};
constexpr WallTime kNow{1'000'000};

smtp::RecipientResult by_server(Disposition disposition, Scope scope, mail::Reply reply) {
  return {disposition, scope, std::move(reply), true};
}

smtp::RecipientResult by_us(Scope scope, std::string text) {
  return {Disposition::deferred, scope, {451, {4, 4, 2}, std::move(text)}, false};
}

Endpoint at_preference(Endpoint endpoint, std::uint16_t preference) {
  endpoint.preference = preference;
  return endpoint;
}

class AttemptTest : public testing::Test {
 protected:
  static Attempt attempt_of(std::uint32_t recipients) {
    WaitingJob waiting;
    waiting.job.job = 5;
    waiting.job.id = QueueId{7};
    waiting.job.reverse_path = *mail::Mailbox::from_wire("sender@example.org");
    for (std::uint32_t i = 0; i < recipients; ++i) {
      // Indexes of the envelope, which are not those of the job.
      waiting.job.recipients.push_back(
          {10 + i, *mail::Mailbox::from_wire("user" + std::to_string(i) + "@example.net")});
    }
    waiting.job.site = "smtp mx 10 a.example:25 20 b.example:25";
    waiting.job.eight_bit = true;
    waiting.content = "A: b\r\n\r\n";
    Attempt attempt(std::move(waiting), *route::parse_site("smtp mx 10 a.example:25 20 b.example:25"), kNow);
    attempt.set_itinerary({kFirst, kSecond});
    attempt.take_endpoint();
    return attempt;
  }

  static std::vector<std::string> recipients_of(const Attempt& attempt) {
    std::vector<std::string> all;
    for (const auto& one : attempt.delivery().recipients) all.push_back(one.to_wire());
    return all;
  }
};

TEST_F(AttemptTest, ADeliveryHasAllThatIsOpenAndTheContent) {
  auto attempt = attempt_of(2);
  ASSERT_TRUE(attempt.measure());
  const auto delivery = attempt.delivery();
  EXPECT_EQ(mail::to_path(delivery.reverse_path), "<sender@example.org>");
  EXPECT_EQ(delivery.facts, (smtp::ContentFacts{8, false}));
  attempt.content().rewind();
  EXPECT_EQ(attempt.content().next().value(), "A: b\r\n\r\n");
  EXPECT_TRUE(delivery.eight_bit);
  EXPECT_THAT(recipients_of(attempt), ElementsAre("user0@example.net", "user1@example.net"));
  EXPECT_FALSE(attempt.done());
}

TEST_F(AttemptTest, AnswersSettleAndAreQuotedWithTheHostThatGaveThem) {
  auto attempt = attempt_of(2);
  attempt.take_result({{by_server(Disposition::delivered, Scope::answer, kAccepted),
                        by_server(Disposition::failed, Scope::answer, kRefused)}},
                      kFirst, {"S: 550"});
  ASSERT_TRUE(attempt.done());
  const auto job = attempt.take_finished();
  const auto outcome = to_outcome(job);
  EXPECT_EQ(outcome.job, 5U);
  ASSERT_THAT(outcome.recipients, SizeIs(2));
  EXPECT_EQ(outcome.recipients[0].recipient, 10U);
  EXPECT_EQ(outcome.recipients[0].disposition, Disposition::delivered);
  EXPECT_EQ(outcome.recipients[0].attempted, kNow);
  EXPECT_EQ(outcome.recipients[1].recipient, 11U);
  EXPECT_EQ(outcome.recipients[1].disposition, Disposition::failed);
  EXPECT_EQ(outcome.recipients[1].reply, kRefused);
  EXPECT_EQ(outcome.recipients[1].remote, "a.example [192.0.2.1]");
  EXPECT_THAT(job.dialogue, ElementsAre("S: 550"));
}

TEST_F(AttemptTest, TheDialogueIsNotKeptWhereAllWasDelivered) {
  auto attempt = attempt_of(1);
  attempt.take_result({{by_server(Disposition::delivered, Scope::answer, kAccepted)}}, kFirst, {"S: 250"});
  EXPECT_THAT(attempt.take_finished().dialogue, IsEmpty());
}

TEST_F(AttemptTest, TroubleWithAHostLeavesItsRecipientsForTheNextOne) {
  auto attempt = attempt_of(3);
  attempt.take_result({{by_server(Disposition::failed, Scope::answer, kRefused),
                        by_us(Scope::host, "lost connection"), by_us(Scope::host, "lost connection")}},
                      kFirst, {"C: RCPT"});
  EXPECT_FALSE(attempt.done());
  EXPECT_THAT(recipients_of(attempt), ElementsAre("user1@example.net", "user2@example.net"));
  ASSERT_NE(attempt.next_endpoint(), nullptr);
  EXPECT_EQ(*attempt.next_endpoint(), kSecond);
  attempt.take_endpoint();
  attempt.take_result({{by_server(Disposition::delivered, Scope::answer, kAccepted),
                        by_server(Disposition::deferred, Scope::answer, kLater)}},
                      kSecond, {"S: 451"});
  ASSERT_TRUE(attempt.done());
  const auto outcome = to_outcome(attempt.take_finished());
  EXPECT_EQ(outcome.recipients[0].remote, "a.example [192.0.2.1]");
  EXPECT_EQ(outcome.recipients[1].disposition, Disposition::delivered);
  EXPECT_EQ(outcome.recipients[1].remote, "b.example [192.0.2.2]");
  EXPECT_EQ(outcome.recipients[2].reply, kLater);
}

TEST_F(AttemptTest, WhatTheServerMayHaveAcceptedIsNotTriedElsewhere) {
  auto attempt = attempt_of(1);
  attempt.take_result({{by_us(Scope::unknown, "lost connection waiting for the reply to the content")}},
                      kFirst, {"C: ."});
  EXPECT_TRUE(attempt.done());
  const auto outcome = to_outcome(attempt.take_finished());
  EXPECT_EQ(outcome.recipients[0].disposition, Disposition::deferred);
  EXPECT_EQ(outcome.recipients[0].reply.text,
            "a.example [192.0.2.1]:25: lost connection waiting for the reply to the content");
  EXPECT_EQ(outcome.recipients[0].remote, "") << "these are our words";
}

TEST_F(AttemptTest, AfterTheLastHostItsTroubleIsTheOutcome) {
  auto attempt = attempt_of(1);
  attempt.take_result({{by_us(Scope::host, "cannot connect: refused")}}, kFirst, {});
  attempt.take_endpoint();
  attempt.take_result({{by_server(Disposition::deferred, Scope::host, {421, {4, 3, 2}, "busy"})}}, kSecond,
                      {"S: 421"});
  EXPECT_EQ(attempt.next_endpoint(), nullptr);
  EXPECT_FALSE(attempt.done());
  attempt.give_up_after_last();
  ASSERT_TRUE(attempt.done());
  const auto outcome = to_outcome(attempt.take_finished());
  EXPECT_EQ(outcome.recipients[0].disposition, Disposition::deferred);
  EXPECT_EQ(outcome.recipients[0].reply.text, "busy");
  EXPECT_EQ(outcome.recipients[0].remote, "b.example [192.0.2.2]");
}

TEST_F(AttemptTest, BehindThisServerOnlyBetterHostsAreTried) {
  auto alone = attempt_of(1);
  alone.set_itinerary({at_preference(kFirst, 10), at_preference(kSecond, 10)});
  alone.take_endpoint();
  alone.came_back(at_preference(kFirst, 10));
  ASSERT_TRUE(alone.done());
  const auto outcome = to_outcome(alone.take_finished());
  EXPECT_EQ(outcome.recipients[0].disposition, Disposition::failed);
  EXPECT_EQ(to_string(outcome.recipients[0].reply.status), "5.4.6");

  auto down_and_therefore_last = attempt_of(1);
  down_and_therefore_last.set_itinerary({at_preference(kFirst, 20), at_preference(kSecond, 10)});
  down_and_therefore_last.take_endpoint();
  down_and_therefore_last.came_back(at_preference(kFirst, 20));
  EXPECT_FALSE(down_and_therefore_last.done());
  ASSERT_NE(down_and_therefore_last.next_endpoint(), nullptr);
  EXPECT_EQ(down_and_therefore_last.next_endpoint()->preference, 10);
}

TEST_F(AttemptTest, MailThatABetterHostMayTakeLaterWaitsForIt) {
  auto attempt = attempt_of(1);
  attempt.set_itinerary({at_preference(kFirst, 10), at_preference(kSecond, 20)});
  attempt.take_endpoint();
  attempt.take_result({{by_us(Scope::host, "cannot connect: refused")}}, at_preference(kFirst, 10), {});
  attempt.take_endpoint();
  attempt.came_back(at_preference(kSecond, 20));
  EXPECT_FALSE(attempt.done());
  EXPECT_EQ(attempt.next_endpoint(), nullptr);
  attempt.give_up_after_last();
  EXPECT_EQ(to_outcome(attempt.take_finished()).recipients[0].disposition, Disposition::deferred);
}

TEST_F(AttemptTest, AHostThatRefusesAllForGoodDefersOnly) {
  auto attempt = attempt_of(1);
  attempt.take_result({{by_server(Disposition::deferred, Scope::host, {554, {5, 3, 2}, "no service"})}},
                      kFirst, {});
  attempt.give_up_after_last();
  EXPECT_EQ(to_outcome(attempt.take_finished()).recipients[0].disposition, Disposition::deferred);
}

TEST_F(AttemptTest, GivingUpFollowsTheReply) {
  auto failed = attempt_of(2);
  failed.give_up({550, {5, 4, 4}, "no address"});
  EXPECT_TRUE(failed.done());
  for (const auto& one : to_outcome(failed.take_finished()).recipients) {
    EXPECT_EQ(one.disposition, Disposition::failed);
    EXPECT_EQ(one.remote, "");
  }
  auto deferred = attempt_of(1);
  deferred.give_up({451, {4, 4, 3}, "no answer"});
  EXPECT_EQ(to_outcome(deferred.take_finished()).recipients[0].disposition, Disposition::deferred);
}

TEST_F(AttemptTest, TextsAreBounded) {
  auto attempt = attempt_of(2);
  const Endpoint long_name{std::string(400, 'h'), "192.0.2.1", 25};
  attempt.take_result(
      {{by_server(Disposition::failed, Scope::answer, {550, {5, 0, 0}, std::string(5'000, 'x')}),
        by_us(Scope::unknown, std::string(5'000, 'y'))}},
      long_name, {});
  for (const auto& one : to_outcome(attempt.take_finished()).recipients) {
    EXPECT_EQ(one.reply.text.size(), 512U);
    EXPECT_LE(one.remote.size(), mail::RecipientOutcome::kMaxRemote);
  }
}

}  // namespace
}  // namespace sternpost::smtp_client

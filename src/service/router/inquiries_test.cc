#include "service/router/inquiries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sternpost::router {
namespace {

using route::UserState;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class InquiriesTest : public testing::Test {
 protected:
  void ask(const std::string& name) {
    inquiries.ask(
        [name](const route::Known& known) -> route::Decision {
          for (const auto& [user, state] : known.users) {
            if (user == name) return route::Ruling{{static_cast<mail::ReplyCode>(state), {}, ""}, {}, ""};
          }
          return route::NeedUser{name};
        },
        [this](route::Ruling&& ruling) { answers.push_back(static_cast<UserState>(ruling.reply.code)); },
        now);
  }

  Inquiries inquiries;
  SteadyTime now{};
  std::vector<UserState> answers;
};

TEST_F(InquiriesTest, OneLookupServesAllWhoWait) {
  ask("ann");
  ask("ann");
  ask("bob");
  EXPECT_THAT(inquiries.take_wanted(Topic::Of::user), ElementsAre("ann", "bob"));
  EXPECT_THAT(inquiries.take_wanted(Topic::Of::user), IsEmpty());
  inquiries.learned({Topic::Of::user, "ann"}, UserState::exists, now);
  EXPECT_THAT(answers, ElementsAre(UserState::exists, UserState::exists));
  EXPECT_THAT(inquiries.all_wanted(Topic::Of::user), ElementsAre("bob"));
}

TEST_F(InquiriesTest, AnswersAreRememberedForAWhileAndShorterWhenNegative) {
  inquiries.learned({Topic::Of::user, "ann"}, UserState::exists, now);
  inquiries.learned({Topic::Of::user, "bob"}, UserState::unknown, now);
  inquiries.learned({Topic::Of::user, "eve"}, UserState::unavailable, now);
  ask("ann");
  ask("bob");
  EXPECT_THAT(answers, ElementsAre(UserState::exists, UserState::unknown));
  ask("eve");
  EXPECT_THAT(inquiries.take_wanted(Topic::Of::user), ElementsAre("eve"));
  now += Inquiries::kNegativeLife;
  ask("bob");
  EXPECT_THAT(inquiries.take_wanted(Topic::Of::user), ElementsAre("bob"));
  now += Inquiries::kPositiveLife;
  ask("ann");
  EXPECT_THAT(inquiries.take_wanted(Topic::Of::user), ElementsAre("ann"));
}

TEST_F(InquiriesTest, ALookupWithoutAnswerEndsAsUnavailable) {
  ask("ann");
  ASSERT_TRUE(inquiries.next_expiry());
  EXPECT_EQ(*inquiries.next_expiry(), now + Inquiries::kPatience);
  inquiries.expire(now + Inquiries::kPatience - std::chrono::milliseconds(1));
  EXPECT_THAT(answers, IsEmpty());
  inquiries.expire(now + Inquiries::kPatience);
  EXPECT_THAT(answers, ElementsAre(UserState::unavailable));
  EXPECT_FALSE(inquiries.next_expiry());
  inquiries.learned({Topic::Of::user, "ann"}, UserState::exists, now);
  EXPECT_THAT(answers, ElementsAre(UserState::unavailable)) << "answered once";
}

TEST_F(InquiriesTest, LookupsExpireInTheirOrderAlsoAfterAnswersOutOfOrder) {
  using std::chrono::seconds;
  const auto begin = now;
  for (const auto* name : {"ann", "bob", "eve", "zoe"}) {
    ask(name);
    now += seconds(1);
  }
  const auto expected = [&](int second) { return begin + Inquiries::kPatience + seconds(second); };
  inquiries.learned({Topic::Of::user, "eve"}, UserState::exists, now);
  EXPECT_EQ(inquiries.next_expiry(), expected(0));
  inquiries.learned({Topic::Of::user, "ann"}, UserState::unavailable, now);
  EXPECT_EQ(inquiries.next_expiry(), expected(1));
  ask("ann");
  answers.clear();
  inquiries.expire(expected(1));
  EXPECT_THAT(answers, ElementsAre(UserState::unavailable));
  EXPECT_EQ(inquiries.next_expiry(), expected(3));
  inquiries.expire(expected(4));
  EXPECT_THAT(answers, SizeIs(3)) << "what was asked again has its time from then on";
  EXPECT_FALSE(inquiries.next_expiry());
}

TEST_F(InquiriesTest, AUserIsGivenUpBeforeADomainThatWasAskedAboutEarlier) {
  inquiries.ask(
      [](const route::Known& known) -> route::Decision {
        if (known.mx.empty()) return route::NeedMx{"example.org"};
        return route::Ruling{{static_cast<mail::ReplyCode>(UserState::unknown), {}, ""}, {}, ""};
      },
      [this](route::Ruling&& ruling) { answers.push_back(static_cast<UserState>(ruling.reply.code)); }, now);
  ask("ann");
  EXPECT_EQ(inquiries.next_expiry(), now + Inquiries::kPatience);
  inquiries.expire(now + Inquiries::kPatience);
  EXPECT_THAT(answers, ElementsAre(UserState::unavailable));
  EXPECT_EQ(inquiries.next_expiry(), now + Inquiries::kPatienceWithDns);
}

TEST_F(InquiriesTest, WhatIsGivenUpIsWantedNoMore) {
  for (int i = 0; i < 3; ++i) {
    ask("ann");
    now += Inquiries::kPatience;
    inquiries.expire(now);
  }
  EXPECT_THAT(inquiries.take_wanted(Topic::Of::user), IsEmpty());
  ask("ann");
  EXPECT_THAT(inquiries.take_wanted(Topic::Of::user), ElementsAre("ann"));
}

TEST_F(InquiriesTest, QuestionsBeyondTheBoundAreAnsweredAtOnce) {
  for (std::size_t i = 0; i < Inquiries::kMaxWaiting; ++i) ask("ann");
  EXPECT_THAT(answers, IsEmpty());
  ask("ann");
  EXPECT_THAT(answers, ElementsAre(UserState::unavailable));
}

TEST_F(InquiriesTest, WhatTheDnsSaidIsNotRemembered) {
  int asked = 0;
  const auto ask_mx = [&] {
    inquiries.ask(
        [](const route::Known& known) -> route::Decision {
          if (known.mx.empty()) return route::NeedMx{"example.org"};
          return route::Ruling{{250, {}, known.mx.front().second.why}, {}, ""};
        },
        [&](route::Ruling&&) { ++asked; }, now);
  };
  ask_mx();
  EXPECT_THAT(inquiries.take_wanted(Topic::Of::user), IsEmpty());
  EXPECT_THAT(inquiries.take_wanted(Topic::Of::mx), ElementsAre("example.org"));
  inquiries.learned({Topic::Of::mx, "example.org"}, route::MxAnswer{}, now);
  EXPECT_EQ(asked, 1);
  ask_mx();
  EXPECT_THAT(inquiries.take_wanted(Topic::Of::mx), ElementsAre("example.org"));
  EXPECT_EQ(*inquiries.next_expiry(), now + Inquiries::kPatienceWithDns);
  inquiries.expire(now + Inquiries::kPatienceWithDns);
  EXPECT_EQ(asked, 2);
}

TEST_F(InquiriesTest, TheMemoryIsBounded) {
  for (std::size_t i = 0; i < 3 * Inquiries::kMaxRemembered; ++i) {
    inquiries.learned({Topic::Of::user, "user" + std::to_string(i)}, UserState::exists, now);
  }
  ask("user0");
  EXPECT_THAT(inquiries.take_wanted(Topic::Of::user), ElementsAre("user0"));
}

}  // namespace
}  // namespace sternpost::router

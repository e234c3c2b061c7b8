// The resolver with answers that the test gives when it likes.
#include "service/dns/resolver.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "service/dns/packet_builder.h"

namespace sternpost::dns {
namespace {

class ResolverTest : public testing::Test {
 protected:
  struct Asked {
    std::string name;
    RecordType type;
    std::function<void(const RawAnswer&)> done;
  };

  Resolver make(Patience patience) {
    return {loop_, patience, [this](const std::string& name, RecordType type, auto done) {
              asked_.push_back({name, type, std::move(done)});
              if (at_once_) answer(asked_.size() - 1);
            }};
  }

  /// Answers a question: found for MX, no data for addresses.
  void answer(std::size_t index) {
    const auto asked = asked_.at(index);
    PacketBuilder packet(asked.name, asked.type);
    if (asked.type == RecordType::mx) packet.mx(asked.name, 1, "mx.example");
    const auto bytes = packet.bytes();
    asked.done({.packet = bytes, .security = Security::secure});
  }

  Resolver::Done keep() {
    return [this](Answer&& answer) { answers_.push_back(std::move(answer)); };
  }

  boost::asio::io_context loop_;
  std::vector<Asked> asked_;
  std::vector<Answer> answers_;
  bool at_once_ = false;
  const int one_ = 1, other_ = 2;  ///< askers
};

std::string numbered(std::size_t number) {
  return fmt::format("n{}", number);
}

TEST_F(ResolverTest, SharesOneQuestionAmongThoseWhoAskTheSame) {
  auto resolver = make({Seconds(30)});
  for (int i = 0; i < 3; ++i) resolver.look_up(Kind::mx, "example.org", &one_, keep());
  resolver.look_up(Kind::mx, "example.net", &one_, keep());
  ASSERT_EQ(asked_.size(), 2U);
  answer(0);
  ASSERT_EQ(answers_.size(), 3U);
  EXPECT_EQ(answers_[2].mx, (std::vector<MxRecord>{{1, "mx.example"}}));
  EXPECT_EQ(resolver.counts().coalesced, 2U);
  EXPECT_EQ(resolver.counts().secure, 3U);
  resolver.look_up(Kind::mx, "example.org", &one_, keep());
  EXPECT_EQ(asked_.size(), 3U) << "what is answered is asked again: the library has the cache";
}

TEST_F(ResolverTest, AsksForBothFamiliesAndWaitsForBoth) {
  auto resolver = make({Seconds(30)});
  resolver.look_up(Kind::address, "example.org", &one_, keep());
  ASSERT_EQ(asked_.size(), 2U);
  EXPECT_NE(asked_[0].type, asked_[1].type);
  answer(1);
  EXPECT_TRUE(answers_.empty());
  answer(0);
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_EQ(answers_[0].outcome, Outcome::no_data);
  EXPECT_TRUE(answers_[0].secure);
}

TEST_F(ResolverTest, TakesAnswersThatAreThereAtOnce) {
  at_once_ = true;
  auto resolver = make({Seconds(30)});
  resolver.look_up(Kind::address, "example.org", &one_, keep());
  resolver.look_up(Kind::mx, "example.org", &one_, keep());
  EXPECT_EQ(answers_.size(), 2U);
}

TEST_F(ResolverTest, WhoIsToldMayAskAgain) {
  auto resolver = make({Seconds(30)});
  resolver.look_up(Kind::mx, "example.org", &one_,
                   [&](Answer&&) { resolver.look_up(Kind::mx, "example.org", &one_, keep()); });
  answer(0);
  ASSERT_EQ(asked_.size(), 2U);
  answer(1);
  EXPECT_EQ(answers_.size(), 1U);
}

TEST_F(ResolverTest, WhoWaitsTooLongIsToldSoAndTheNextOneJoins) {
  auto resolver = make({Milliseconds(20)});
  resolver.look_up(Kind::mx, "example.org", &one_, keep());
  loop_.run();
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_EQ(answers_[0].outcome, Outcome::unavailable);
  EXPECT_EQ(answers_[0].why, "no answer within 0.02 s");
  resolver.look_up(Kind::mx, "example.org", &one_, keep());
  EXPECT_EQ(asked_.size(), 1U);
  answer(0);
  ASSERT_EQ(answers_.size(), 2U);
  EXPECT_EQ(answers_[1].outcome, Outcome::found);
  loop_.restart();
  loop_.run();
  EXPECT_EQ(answers_.size(), 2U);
}

TEST_F(ResolverTest, LookupsBeyondThoseUnderWayWaitForTheirTurnAndAreAllAnswered) {
  auto resolver = make({Seconds(30)});
  constexpr auto kMany = 3 * kMostLookups;
  for (std::size_t i = 0; i < kMany; ++i) resolver.look_up(Kind::mx, numbered(i), &one_, keep());
  EXPECT_EQ(asked_.size(), kMostLookups);
  EXPECT_EQ(resolver.counts().queued, kMany - kMostLookups);
  resolver.look_up(Kind::mx, numbered(kMany - 1), &one_, keep());
  EXPECT_EQ(resolver.counts().coalesced, 1U) << "what waits is joined";
  for (std::size_t i = 0; i < kMany; ++i) {
    ASSERT_LT(i, asked_.size());
    EXPECT_EQ(asked_[i].name, numbered(i)) << "in the order of their coming";
    answer(i);
    EXPECT_EQ(asked_.size(), std::min(i + 1 + kMostLookups, kMany));
  }
  EXPECT_EQ(answers_.size(), kMany + 1);
  EXPECT_EQ(resolver.counts().found, kMany + 1);
}

TEST_F(ResolverTest, ManyThatWaitAndAreInTheCacheAreAnsweredInOneGo) {
  auto resolver = make({Seconds(30)});
  for (std::size_t i = 0; i < kMostLookups; ++i) resolver.look_up(Kind::mx, numbered(i), &one_, keep());
  constexpr std::size_t kMany = 20'000;
  for (std::size_t i = 0; i < kMany; ++i) resolver.look_up(Kind::mx, "c" + numbered(i), &one_, keep());
  at_once_ = true;
  answer(0);
  EXPECT_EQ(answers_.size(), kMany + 1);
}

TEST_F(ResolverTest, TheKindsTakeTurns) {
  auto resolver = make({Seconds(30)});
  for (std::size_t i = 0; i < 2 * kMostLookups; ++i) resolver.look_up(Kind::mx, numbered(i), &one_, keep());
  resolver.look_up(Kind::address, "host", &other_, keep());
  answer(0);
  EXPECT_EQ(asked_.back().name, "host") << "it does not wait for all that came before";
}

TEST_F(ResolverTest, WhoWaitsTooLongForHisTurnIsToldSoAndNothingIsAskedForHim) {
  auto resolver = make({.answer = Seconds(30), .altogether = Milliseconds(20)});
  for (std::size_t i = 0; i < kMostLookups; ++i)
    resolver.look_up(Kind::mx, numbered(i), &one_, [](Answer&&) {});
  resolver.look_up(Kind::mx, "late", &one_, keep());
  loop_.run_for(Milliseconds(100));
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_EQ(answers_[0].outcome, Outcome::unavailable);
  EXPECT_EQ(answers_[0].why, "too many lookups are under way: no turn within 0.02 s");
  answer(0);
  EXPECT_EQ(asked_.size(), kMostLookups);
}

TEST_F(ResolverTest, AfterALongWaitForTheTurnThereIsLessTimeForTheAnswer) {
  auto resolver = make({.answer = Milliseconds(60), .altogether = Milliseconds(80)});
  for (std::size_t i = 0; i < kMostLookups; ++i)
    resolver.look_up(Kind::mx, numbered(i), &one_, [](Answer&&) {});
  resolver.look_up(Kind::mx, "late", &one_, keep());
  const auto begin = std::chrono::steady_clock::now();
  while (answers_.empty()) loop_.run_one();
  EXPECT_EQ(asked_.back().name, "late");
  EXPECT_EQ(answers_[0].why, "no answer within 0.08 s");
  EXPECT_GE(std::chrono::steady_clock::now() - begin, Milliseconds(79));
}

TEST_F(ResolverTest, LookupsWithoutAnswerGiveTheirPlacesToTheNext) {
  auto resolver = make({.answer = Milliseconds(300)});
  for (std::size_t i = 0; i < kMostLookups; ++i)
    resolver.look_up(Kind::mx, "stuck" + numbered(i), &one_, keep());
  resolver.look_up(Kind::mx, "next", &one_, keep());
  while (answers_.size() < kMostLookups) loop_.run_one();
  EXPECT_EQ(asked_.back().name, "next");
  EXPECT_EQ(resolver.counts().given_up, kMostLookups);
  answer(kMostLookups);
  EXPECT_EQ(answers_.back().outcome, Outcome::found);
  answer(0);
  EXPECT_EQ(answers_.size(), kMostLookups + 1) << "an answer that nobody waits for";
}

TEST_F(ResolverTest, BoundsTheLookupsThatAreGivenUp) {
  auto resolver = make({.answer = Milliseconds(10)});
  for (std::size_t i = 0; i < 3 * kMostLookups; ++i) resolver.look_up(Kind::mx, numbered(i), &one_, keep());
  loop_.run_for(Milliseconds(200));
  EXPECT_EQ(asked_.size(), kMostLookups + kMostGivenUp);
  answer(0);
  loop_.run_for(Milliseconds(50));
  EXPECT_EQ(asked_.size(), kMostLookups + kMostGivenUp + 1) << "the place of one more is free";
}

TEST_F(ResolverTest, WhatNobodyWaitsForAnyMoreIsNotAsked) {
  auto resolver = make({Seconds(30)});
  for (std::size_t i = 0; i < kMostLookups; ++i) resolver.look_up(Kind::mx, numbered(i), &one_, keep());
  resolver.look_up(Kind::mx, "of-one", &one_, keep());
  resolver.look_up(Kind::mx, "of-both", &one_, keep());
  resolver.look_up(Kind::mx, "of-both", &other_, keep());
  resolver.forget(&one_);
  answer(0);
  EXPECT_TRUE(answers_.empty());
  ASSERT_EQ(asked_.size(), kMostLookups + 1);
  EXPECT_EQ(asked_.back().name, "of-both");
  answer(kMostLookups);
  EXPECT_EQ(answers_.size(), 1U);
}

TEST_F(ResolverTest, BoundsThoseWhoWait) {
  auto resolver = make({Seconds(30)});
  for (std::size_t i = 0; i <= kMostWaiting; ++i) resolver.look_up(Kind::mx, "example.org", &one_, keep());
  EXPECT_EQ(answers_.size(), 1U);
  answer(0);
  EXPECT_EQ(answers_.size(), kMostWaiting + 1);
}

}  // namespace
}  // namespace sternpost::dns

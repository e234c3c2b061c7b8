// The resolver with answers that the test gives when it likes.
#include "service/dns/resolver.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

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

  Resolver make(Milliseconds patience) {
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
};

TEST_F(ResolverTest, SharesOneQuestionAmongThoseWhoAskTheSame) {
  auto resolver = make(Seconds(30));
  for (int i = 0; i < 3; ++i) resolver.look_up(Kind::mx, "example.org", keep());
  resolver.look_up(Kind::mx, "example.net", keep());
  ASSERT_EQ(asked_.size(), 2U);
  answer(0);
  ASSERT_EQ(answers_.size(), 3U);
  EXPECT_EQ(answers_[2].mx, (std::vector<MxRecord>{{1, "mx.example"}}));
  EXPECT_EQ(resolver.counts().coalesced, 2U);
  EXPECT_EQ(resolver.counts().secure, 3U);
  resolver.look_up(Kind::mx, "example.org", keep());
  EXPECT_EQ(asked_.size(), 3U) << "what is answered is asked again: the library has the cache";
}

TEST_F(ResolverTest, AsksForBothFamiliesAndWaitsForBoth) {
  auto resolver = make(Seconds(30));
  resolver.look_up(Kind::address, "example.org", keep());
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
  auto resolver = make(Seconds(30));
  resolver.look_up(Kind::address, "example.org", keep());
  resolver.look_up(Kind::mx, "example.org", keep());
  EXPECT_EQ(answers_.size(), 2U);
}

TEST_F(ResolverTest, WhoIsToldMayAskAgain) {
  auto resolver = make(Seconds(30));
  resolver.look_up(Kind::mx, "example.org",
                   [&](Answer&&) { resolver.look_up(Kind::mx, "example.org", keep()); });
  answer(0);
  ASSERT_EQ(asked_.size(), 2U);
  answer(1);
  EXPECT_EQ(answers_.size(), 1U);
}

TEST_F(ResolverTest, WhoWaitsTooLongIsToldSoAndTheNextOneJoins) {
  auto resolver = make(Milliseconds(20));
  resolver.look_up(Kind::mx, "example.org", keep());
  loop_.run();
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_EQ(answers_[0].outcome, Outcome::unavailable);
  EXPECT_EQ(answers_[0].why, "no answer within 0.02 s");
  resolver.look_up(Kind::mx, "example.org", keep());
  EXPECT_EQ(asked_.size(), 1U);
  answer(0);
  ASSERT_EQ(answers_.size(), 2U);
  EXPECT_EQ(answers_[1].outcome, Outcome::found);
  loop_.restart();
  loop_.run();
  EXPECT_EQ(answers_.size(), 2U);
}

TEST_F(ResolverTest, BoundsTheLookupsUnderWay) {
  auto resolver = make(Seconds(30));
  for (std::size_t i = 0; i < kMostLookups; ++i) resolver.look_up(Kind::mx, fmt::format("n{}", i), keep());
  EXPECT_TRUE(answers_.empty());
  resolver.look_up(Kind::mx, "one-more", keep());
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_EQ(answers_[0].outcome, Outcome::unavailable);
  EXPECT_NE(answers_[0].why.find("too many"), std::string::npos);
  resolver.look_up(Kind::mx, "n0", keep());
  EXPECT_EQ(answers_.size(), 1U) << "joining one costs no question";
  answer(0);
  EXPECT_EQ(answers_.size(), 3U);
  resolver.look_up(Kind::mx, "one-more", keep());
  EXPECT_EQ(asked_.size(), kMostLookups + 1);
}

TEST_F(ResolverTest, BoundsThoseWhoWait) {
  auto resolver = make(Seconds(30));
  for (std::size_t i = 0; i <= kMostWaiting; ++i) resolver.look_up(Kind::mx, "example.org", keep());
  EXPECT_EQ(answers_.size(), 1U);
  answer(0);
  EXPECT_EQ(answers_.size(), kMostWaiting + 1);
}

}  // namespace
}  // namespace sternpost::dns

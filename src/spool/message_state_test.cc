#include "spool/message_state.h"

#include <gtest/gtest.h>

namespace sternpost::spool {
namespace {

mail::RecipientOutcome outcome(std::uint32_t recipient, mail::Disposition disposition) {
  return {recipient, disposition, {250, {2, 0, 0}, "ok"}, WallTime{7}};
}

TEST(message_state, counts_attempts_and_finishes_recipients_one_by_one) {
  MessageState state(3, false);
  state.apply(std::vector{outcome(2, mail::Disposition::deferred), outcome(0, mail::Disposition::delivered)});
  state.apply(std::vector{outcome(2, mail::Disposition::deferred)});
  EXPECT_EQ(state.open(), 2U);
  EXPECT_FALSE(state.is_open(0));
  EXPECT_TRUE(state.is_open(1));
  EXPECT_EQ(state.find(1), nullptr);
  EXPECT_EQ(state.find(2)->attempts, 2U);
}

TEST(message_state, does_not_count_a_deletion_as_an_attempt) {
  MessageState state(1, false);
  state.apply(std::vector{outcome(0, mail::Disposition::deleted)});
  EXPECT_EQ(state.find(0)->attempts, 0U);
  EXPECT_EQ(state.open(), 0U);
}

TEST(message_state, refuses_outcomes_that_do_not_apply) {
  MessageState state(2, false);
  state.apply(std::vector{outcome(0, mail::Disposition::failed)});
  EXPECT_FALSE(state.check(std::vector<mail::RecipientOutcome>{}));
  EXPECT_FALSE(state.check(std::vector{outcome(2, mail::Disposition::delivered)}));
  EXPECT_FALSE(state.check(std::vector{outcome(0, mail::Disposition::delivered)}));
  EXPECT_FALSE(state.check(
      std::vector{outcome(1, mail::Disposition::deferred), outcome(1, mail::Disposition::failed)}));
  EXPECT_TRUE(state.check(std::vector{outcome(1, mail::Disposition::delivered)}));
}

TEST(message_state, refuses_a_reply_text_beyond_the_bound) {
  const MessageState state(1, false);
  auto one = outcome(0, mail::Disposition::failed);
  one.reply.text.assign(kMaxReplyText, 'x');
  EXPECT_TRUE(state.check(std::vector{one}));
  one.reply.text += 'x';
  EXPECT_FALSE(state.check(std::vector{one}));
}

TEST(message_state, counts_the_texts_that_a_record_has) {
  MessageState state(3, false);
  const auto bare = state.record_bytes();
  state.apply(std::vector{outcome(0, mail::Disposition::failed), outcome(1, mail::Disposition::deferred),
                          outcome(2, mail::Disposition::delivered)});
  EXPECT_EQ(state.record_bytes(), bare + 4);
  EXPECT_TRUE(state.find(2)->last.reply.text.empty()) << "nobody asks what was said of a delivery";
  EXPECT_EQ(MessageState::from(3, false, false, state.attempted()), state);
  state.apply(std::vector{outcome(1, mail::Disposition::deferred)});
  EXPECT_EQ(state.record_bytes(), bare + 4) << "the last one counts";
  state.apply(std::vector{outcome(1, mail::Disposition::delivered)});
  state.apply(Settlement{{}, {0}, false});
  EXPECT_EQ(state.record_bytes(), bare);
}

TEST(message_state, bounds_the_texts_of_deferrals) {
  constexpr auto kFits = static_cast<std::uint32_t>(kMaxDeferredTexts / kMaxReplyText);
  MessageState state(kFits + 1, false);
  std::vector<mail::RecipientOutcome> outcomes;
  for (std::uint32_t i = 0; i <= kFits; ++i) {
    outcomes.push_back(outcome(i, mail::Disposition::deferred));
    outcomes.back().reply.text.assign(kMaxReplyText, 'x');
  }
  state.apply(outcomes);
  EXPECT_FALSE(state.find(kFits - 1)->last.reply.text.empty());
  EXPECT_TRUE(state.find(kFits)->last.reply.text.empty());
  state.apply(std::vector{outcomes[0]});
  EXPECT_FALSE(state.find(0)->last.reply.text.empty()) << "its own last text gave way";
  state.resize(kFits + 1, std::vector<std::uint32_t>{0});
  state.apply(std::vector{outcomes[kFits]});
  EXPECT_FALSE(state.find(kFits)->last.reply.text.empty());
}

TEST(message_state, a_notice_settles_those_who_failed_and_no_others) {
  MessageState state(3, false);
  state.apply(std::vector{outcome(0, mail::Disposition::failed), outcome(1, mail::Disposition::deferred)});
  EXPECT_FALSE(state.check(Settlement{{}, {}, false})) << "it settles nothing";
  EXPECT_FALSE(state.check(Settlement{{}, {1}, false})) << "it is only late";
  EXPECT_FALSE(state.check(Settlement{{}, {0, 0}, false}));
  EXPECT_FALSE(state.check(Settlement{{}, {3}, false}));
  const Settlement both{{}, {0}, true};
  ASSERT_TRUE(state.check(both));
  state.apply(both);
  EXPECT_TRUE(state.warned);
  EXPECT_EQ(state.owing(), 0U);
  EXPECT_EQ(state.open(), 2U);
  EXPECT_EQ(state.find(0)->last.disposition, mail::Disposition::bounced);
  EXPECT_EQ(state.find(0)->attempts, 1U);
  EXPECT_FALSE(state.check(both)) << "it was told already";
  EXPECT_FALSE(state.check(Settlement{{}, {}, true})) << "it was warned already";
}

TEST(message_state, a_notice_that_was_sent_once_settles_also_failures_that_were_forgotten) {
  MessageState state(3, false);
  state.apply(std::vector{outcome(0, mail::Disposition::delivered)});
  EXPECT_FALSE(state.may_have_taken({{}, {0}, false}));
  EXPECT_FALSE(state.may_have_taken({{}, {3}, false}));
  const Settlement settlement{{}, {1, 2}, false};
  EXPECT_FALSE(state.check(settlement)) << "nobody failed, as far as is known";
  ASSERT_TRUE(state.may_have_taken(settlement));
  state.apply(settlement);
  EXPECT_TRUE(state.settled());
}

TEST(message_state, who_failed_may_be_settled_without_a_notice) {
  MessageState state(2, false);
  EXPECT_FALSE(state.check(std::vector{outcome(0, mail::Disposition::bounced)})) << "it did not fail";
  state.apply(std::vector{outcome(0, mail::Disposition::failed), outcome(1, mail::Disposition::delivered)});
  ASSERT_TRUE(state.check(std::vector{outcome(0, mail::Disposition::bounced)}));
  state.apply(std::vector{outcome(0, mail::Disposition::bounced)});
  EXPECT_TRUE(state.settled());
}

TEST(message_state, is_rebuilt_only_from_ordered_outcomes_of_existing_recipients) {
  const Attempted first{1, outcome(0, mail::Disposition::delivered)};
  const Attempted second{1, outcome(1, mail::Disposition::deferred)};
  const auto state = MessageState::from(2, true, false, {first, second});
  ASSERT_TRUE(state);
  EXPECT_EQ(state->open(), 1U);
  EXPECT_TRUE(state->held);
  EXPECT_FALSE(MessageState::from(2, false, false, {second, first}));
  EXPECT_FALSE(MessageState::from(2, false, false, {first, first}));
  EXPECT_FALSE(MessageState::from(1, false, false, {second}));
}

TEST(message_state, forgets_the_attempts_of_changed_recipients_only) {
  MessageState state(3, false);
  state.apply(std::vector{outcome(0, mail::Disposition::delivered), outcome(1, mail::Disposition::deferred),
                          outcome(2, mail::Disposition::deferred)});
  state.resize(5, std::vector<std::uint32_t>{1});
  EXPECT_EQ(state.recipients(), 5U);
  EXPECT_EQ(state.open(), 4U);
  EXPECT_EQ(state.find(1), nullptr);
  EXPECT_NE(state.find(2), nullptr);
  EXPECT_FALSE(state.is_open(0));
}

TEST(message_state, remembers_where_a_text_is_instead_of_what_it_says) {
  MessageState state(3, false);
  const std::vector first{outcome(0, mail::Disposition::deferred)};
  state.apply(first);
  const auto with_text = state.record_bytes();
  state.leave_texts_in({kThisGroup, 100}, first);
  const std::vector second{outcome(1, mail::Disposition::failed)};
  state.apply(second);
  state.leave_texts_in({kThisGroup, 200}, second);
  EXPECT_TRUE(state.find(0)->last.reply.text.empty());
  state.group_written({7, 4096});
  EXPECT_EQ(state.find(0)->texts_at, (RecordPlace{7, 4196})) << "each in the record that brought it";
  EXPECT_EQ(state.find(1)->texts_at, (RecordPlace{7, 4296}));
  EXPECT_GT(state.record_bytes(), with_text) << "it takes room there still";

  const auto text = first.front().reply.text;
  EXPECT_FALSE(state.restore_texts(0, text + "x", "")) << "not what was left there";
  EXPECT_FALSE(state.restore_texts(2, text, "")) << "was never tried";
  ASSERT_TRUE(state.restore_texts(0, text, ""));
  EXPECT_EQ(state.find(0)->last.reply.text, text);
  const auto bytes = state.record_bytes();
  state.drop_texts_on_disk();
  EXPECT_EQ(state.find(0)->last.reply.text, text);
  EXPECT_EQ(state.find(1)->texts_bytes, 0U);
  EXPECT_LT(state.record_bytes(), bytes);
  state.apply(std::vector{outcome(0, mail::Disposition::delivered)});
  EXPECT_EQ(state.record_bytes(), MessageState(3, false).record_bytes());
}

TEST(message_state, an_outcome_supersedes_a_text_on_the_disk) {
  MessageState state(1, false);
  const std::vector deferred{outcome(0, mail::Disposition::deferred)};
  state.apply(deferred);
  state.leave_texts_in({1, 100});
  state.apply(deferred);
  EXPECT_EQ(state.find(0)->texts_bytes, 0U);
  EXPECT_EQ(state.find(0)->last.reply.text, deferred.front().reply.text);
}

}  // namespace
}  // namespace sternpost::spool

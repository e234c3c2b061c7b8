#include "service/spool/fresh_envelopes.h"

#include <gtest/gtest.h>

namespace sternpost::spool_service {
namespace {

mail::Envelope envelope_for(std::size_t recipients) {
  mail::Envelope envelope;
  envelope.recipients.resize(recipients);
  return envelope;
}

TEST(fresh_envelopes, are_given_once) {
  FreshEnvelopes fresh;
  fresh.keep(QueueId{1}, envelope_for(2));
  const auto taken = fresh.take(QueueId{1});
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->recipients.size(), 2U);
  EXPECT_FALSE(fresh.take(QueueId{1}));
}

TEST(fresh_envelopes, are_not_kept_where_they_are_large) {
  FreshEnvelopes fresh;
  fresh.keep(QueueId{1}, envelope_for(FreshEnvelopes::kMostRecipients));
  fresh.keep(QueueId{2}, envelope_for(FreshEnvelopes::kMostRecipients + 1));
  EXPECT_TRUE(fresh.take(QueueId{1}));
  EXPECT_FALSE(fresh.take(QueueId{2}));
}

TEST(fresh_envelopes, are_bounded_in_number) {
  FreshEnvelopes fresh;
  for (std::uint64_t id = 1; id <= FreshEnvelopes::kMost + 1; ++id) fresh.keep(QueueId{id}, envelope_for(1));
  EXPECT_FALSE(fresh.take(QueueId{1}));
  EXPECT_TRUE(fresh.take(QueueId{FreshEnvelopes::kMost + 1}));
}

TEST(fresh_envelopes, are_forgotten_when_the_message_has_another) {
  FreshEnvelopes fresh;
  fresh.keep(QueueId{1}, envelope_for(1));
  fresh.forget(QueueId{1});
  EXPECT_FALSE(fresh.take(QueueId{1}));
}

}  // namespace
}  // namespace sternpost::spool_service

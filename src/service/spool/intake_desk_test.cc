#include "service/spool/intake_desk.h"

#include <gtest/gtest.h>

namespace sternpost::spool_service {
namespace {

using namespace spool_intake;

constexpr ChannelId kOne = 1;
constexpr ChannelId kTwo = 2;

mail::Envelope envelope(std::size_t recipients = 1) {
  mail::Envelope one;
  one.recipients.assign(recipients, *mail::Mailbox::from_wire("user@example.org"));
  return one;
}

class intake_desk : public testing::Test {
 protected:
  intake_desk() { desk_.leased(kOne, {100}, 10); }

  static Commit commit(std::uint64_t id, std::string last) {
    return {{id}, envelope(), std::move(last), false};
  }
  /// The content that a commit makes, or the code of the refusal.
  std::variant<std::string, int> outcome(Commit&& one) {
    auto taken = desk_.take(kOne, std::move(one));
    if (!taken) return taken.error().text;
    if (const auto* refused = std::get_if<mail::Reply>(&*taken)) return int{refused->code};
    return std::get<spool::AddMessage>(*taken).content;
  }
  using Outcome = std::variant<std::string, int>;

  IntakeDesk desk_{{.max_message_bytes = 100, .max_buffered_bytes = 250}};
};

TEST_F(intake_desk, joins_pieces_in_order) {
  ASSERT_TRUE(desk_.take(kOne, Piece{{101}, "one "}));
  ASSERT_TRUE(desk_.take(kOne, Piece{{102}, "other"}));
  ASSERT_TRUE(desk_.take(kOne, Piece{{101}, "two "}));
  EXPECT_EQ(outcome(commit(101, "three")), Outcome("one two three"));
  EXPECT_EQ(outcome(commit(103, "whole")), Outcome("whole"));
  EXPECT_EQ(desk_.buffered_bytes(), 5U);
}

TEST_F(intake_desk, refuses_ids_that_were_not_leased_to_the_channel) {
  for (const std::uint64_t id : {0U, 99U, 110U}) {
    EXPECT_FALSE(desk_.take(kOne, commit(id, "x"))) << id;
    EXPECT_FALSE(desk_.take(kOne, Piece{{id}, "x"})) << id;
    EXPECT_FALSE(desk_.take(kOne, Abandon{{id}})) << id;
  }
  const auto other = desk_.take(kTwo, commit(100, "x"));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().what_to_do, ErrorClass::peer);
}

TEST_F(intake_desk, refuses_a_message_beyond_the_bound_and_takes_one_at_it) {
  EXPECT_EQ(outcome(commit(100, std::string(100, 'x'))), Outcome(std::string(100, 'x')));
  EXPECT_EQ(outcome(commit(101, std::string(101, 'x'))), Outcome(552));
  ASSERT_TRUE(desk_.take(kOne, Piece{{102}, std::string(60, 'x')}));
  ASSERT_TRUE(desk_.take(kOne, Piece{{102}, std::string(41, 'x')}));
  EXPECT_EQ(desk_.buffered_bytes(), 0U) << "dropped as soon as it is too large";
  EXPECT_EQ(outcome(commit(102, "")), Outcome(552));
}

TEST_F(intake_desk, refuses_for_now_what_exceeds_the_memory_for_all) {
  for (const std::uint64_t id : {100U, 101U, 102U}) {
    ASSERT_TRUE(desk_.take(kOne, Piece{{id}, std::string(90, 'x')}));
  }
  EXPECT_EQ(desk_.buffered_bytes(), 180U);
  EXPECT_EQ(outcome(commit(102, "")), Outcome(452));
  EXPECT_EQ(outcome(commit(101, "")), Outcome(std::string(90, 'x')));
}

TEST_F(intake_desk, refuses_a_piece_larger_than_pieces_are) {
  EXPECT_TRUE(desk_.take(kOne, Piece{{100}, std::string(kPieceBytes, 'x')}));
  EXPECT_FALSE(desk_.take(kOne, Piece{{100}, std::string(kPieceBytes + 1, 'x')}));
  EXPECT_FALSE(desk_.take(kOne, commit(101, std::string(kPieceBytes + 1, 'x'))));
}

TEST_F(intake_desk, refuses_messages_for_nobody_and_for_more_than_frames_hold) {
  EXPECT_FALSE(desk_.take(kOne, Commit{{100}, envelope(0), "x", false}));
  EXPECT_TRUE(std::holds_alternative<spool::AddMessage>(
      *desk_.take(kOne, Commit{{101}, envelope(1000), "x", false})));
  ASSERT_TRUE(desk_.take(kOne, Piece{{102}, "x"}));
  const auto taken = desk_.take(kOne, Commit{{102}, envelope(100'000), "x", false});
  ASSERT_TRUE(taken);
  EXPECT_EQ(std::get<mail::Reply>(*taken).code, 452);
  EXPECT_EQ(desk_.buffered_bytes(), 0U);
}

TEST_F(intake_desk, forgets_what_is_abandoned_and_what_a_closed_channel_sent) {
  ASSERT_TRUE(desk_.take(kOne, Piece{{100}, "abc"}));
  ASSERT_TRUE(desk_.take(kOne, Piece{{101}, "abc"}));
  ASSERT_TRUE(desk_.take(kOne, Abandon{{100}}));
  EXPECT_FALSE(desk_.take(kOne, commit(100, "x"))) << "an id serves once";
  desk_.closed(kOne);
  EXPECT_EQ(desk_.buffered_bytes(), 0U);
  EXPECT_FALSE(desk_.take(kOne, commit(101, "x")));
}

}  // namespace
}  // namespace sternpost::spool_service

#include "service/spool/intake_desk.h"

#include <gtest/gtest.h>

namespace sternpost::spool_service {
namespace {

using namespace spool_intake;

constexpr ChannelId kOne = 1;
constexpr ChannelId kTwo = 2;
constexpr std::uint64_t kMany = 10'000;

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
  /// Whether a piece is to be written; a breach is not.
  bool writes(std::uint64_t id, std::size_t bytes, ChannelId channel = kOne) {
    const auto step = desk_.take(channel, Piece{{id}, std::string(bytes, 'x')});
    return step && step->write;
  }
  /// The code of the refusal; 0 where the message is taken.
  int refusal(Commit&& one) {
    const auto taken = desk_.take(kOne, std::move(one));
    EXPECT_TRUE(taken) << taken.error().text;
    const auto* refused = std::get_if<IntakeDesk::Refused>(&*taken);
    return refused == nullptr ? 0 : refused->reply.code;
  }
  IntakeDesk::Large large(Commit&& one) {
    auto taken = desk_.take(kOne, std::move(one));
    EXPECT_TRUE(taken && std::holds_alternative<IntakeDesk::Large>(*taken));
    return std::get<IntakeDesk::Large>(std::move(*taken));
  }

  Result<void> room_;  ///< what the queue says
  IntakeDesk desk_{{.max_message_bytes = kMany, .max_buffered_bytes = 500},
                   [this](std::uint64_t, std::uint64_t) { return room_; }};
};

TEST_F(intake_desk, takes_a_message_in_one_frame_as_it_is) {
  auto taken = desk_.take(kOne, commit(103, "whole"));
  ASSERT_TRUE(taken);
  EXPECT_EQ(std::get<spool::AddMessage>(*taken).content, "whole");
  EXPECT_EQ(desk_.being_written(), 0U);
}

TEST_F(intake_desk, has_pieces_written_and_the_last_one_behind_them) {
  EXPECT_TRUE(writes(101, 60));
  EXPECT_TRUE(writes(102, 5));
  EXPECT_TRUE(writes(101, 40));
  EXPECT_EQ(desk_.buffered_bytes(), 105U);
  const auto told = desk_.written({101}, 60, {});
  ASSERT_TRUE(told);
  EXPECT_EQ(told->channel, kOne);
  EXPECT_EQ(told->taken.bytes, 60U);
  EXPECT_EQ(desk_.buffered_bytes(), 45U);
  const auto all = large(commit(101, "last"));
  EXPECT_EQ(all.bytes, 104U);
  EXPECT_EQ(all.message.content, "last");
  EXPECT_EQ(desk_.being_written(), 109U);
  desk_.forget(all.bytes);
  EXPECT_EQ(desk_.being_written(), 5U) << "the other one is";
  EXPECT_FALSE(desk_.written({101}, 40, {})) << "nobody wants to know any more";
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
  EXPECT_EQ(refusal(commit(100, std::string(kMany, 'x'))), 0);
  EXPECT_EQ(refusal(commit(101, std::string(kMany + 1, 'x'))), 552);
  for (std::uint64_t written = 0; written < kMany; written += 500) {
    ASSERT_TRUE(writes(102, 500));
    ASSERT_TRUE(desk_.written({102}, 500, {}));
  }
  const auto step = desk_.take(kOne, Piece{{102}, "x"});
  ASSERT_TRUE(step);
  EXPECT_FALSE(step->write);
  EXPECT_TRUE(step->remove_file) << "dropped as soon as it is too large";
  EXPECT_EQ(step->taken->bytes, kMany + 1);
  EXPECT_EQ(desk_.being_written(), 0U);
  const auto more = desk_.take(kOne, Piece{{102}, "x"});
  EXPECT_FALSE(more->write || more->remove_file) << "once";
  EXPECT_EQ(refusal(commit(102, "")), 552);
}

TEST_F(intake_desk, refuses_a_last_piece_that_makes_the_message_too_large) {
  ASSERT_TRUE(writes(100, 1));
  const auto taken = desk_.take(kOne, commit(100, std::string(kMany, 'x')));
  ASSERT_TRUE(taken);
  const auto& refused = std::get<IntakeDesk::Refused>(*taken);
  EXPECT_EQ(refused.reply.code, 552);
  EXPECT_TRUE(refused.remove_file);
  EXPECT_EQ(desk_.being_written(), 0U);
}

TEST_F(intake_desk, refuses_for_now_what_exceeds_the_memory_for_all) {
  for (const std::uint64_t id : {100U, 101U}) EXPECT_TRUE(writes(id, 250));
  EXPECT_FALSE(writes(102, 1));
  EXPECT_EQ(desk_.buffered_bytes(), 500U);
  EXPECT_EQ(refusal(commit(102, "")), 452);
  EXPECT_EQ(refusal(commit(101, "")), 0);
  ASSERT_TRUE(desk_.written({100}, 250, {}));
  EXPECT_TRUE(writes(103, 1)) << "there is room again";
}

TEST_F(intake_desk, refuses_for_now_what_the_queue_has_no_room_for) {
  room_ = fail(ErrorClass::temporary, "full", ENOSPC);
  EXPECT_FALSE(writes(100, 1));
  EXPECT_EQ(refusal(commit(100, "")), 452);
  room_ = {};
  EXPECT_TRUE(writes(101, 1));
  room_ = fail(ErrorClass::temporary, "failing", EIO);
  EXPECT_EQ(refusal(commit(101, "")), 451) << "the last piece needs room too";
}

TEST_F(intake_desk, refuses_a_message_whose_piece_could_not_be_written) {
  ASSERT_TRUE(writes(100, 200));
  ASSERT_TRUE(writes(100, 100));
  const auto told = desk_.written({100}, 200, fail(ErrorClass::temporary, "full", ENOSPC));
  ASSERT_TRUE(told) << "the window goes on";
  EXPECT_EQ(told->taken.bytes, 200U);
  EXPECT_EQ(desk_.written({100}, 100, fail(ErrorClass::temporary, "full", ENOSPC))->taken.bytes, 300U);
  EXPECT_EQ(desk_.being_written(), 0U);
  EXPECT_EQ(refusal(commit(100, "")), 452);
}

TEST_F(intake_desk, refuses_pieces_larger_than_pieces_are_and_more_than_the_window) {
  desk_.set_limits({.max_message_bytes = 4 * kWindowBytes, .max_buffered_bytes = 4 * kWindowBytes});
  EXPECT_FALSE(desk_.take(kOne, Piece{{100}, std::string(kPieceBytes + 1, 'x')}));
  EXPECT_FALSE(desk_.take(kOne, commit(101, std::string(kPieceBytes + 1, 'x'))));
  for (std::size_t sent = 0; sent < kWindowBytes; sent += kPieceBytes) ASSERT_TRUE(writes(102, kPieceBytes));
  const auto beyond = desk_.take(kOne, Piece{{102}, "x"});
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().what_to_do, ErrorClass::peer);
  ASSERT_TRUE(desk_.written({102}, kPieceBytes, {}));
  EXPECT_TRUE(writes(102, kPieceBytes));
}

TEST_F(intake_desk, refuses_messages_for_nobody_and_for_more_than_frames_hold) {
  EXPECT_FALSE(desk_.take(kOne, Commit{{100}, envelope(0), "x", false}));
  EXPECT_TRUE(std::holds_alternative<spool::AddMessage>(
      *desk_.take(kOne, Commit{{101}, envelope(1000), "x", false})));
  ASSERT_TRUE(writes(102, 1));
  const auto taken = desk_.take(kOne, Commit{{102}, envelope(100'000), "x", false});
  ASSERT_TRUE(taken);
  const auto& refused = std::get<IntakeDesk::Refused>(*taken);
  EXPECT_EQ(refused.reply.code, 452);
  EXPECT_TRUE(refused.remove_file);
  EXPECT_EQ(desk_.being_written(), 0U);
}

TEST_F(intake_desk, has_a_bound_of_large_messages_at_once) {
  desk_.leased(kTwo, {1000}, kMaxLargeAtOnce + 1);
  desk_.set_limits({.max_message_bytes = kMany, .max_buffered_bytes = kMany});
  for (std::uint64_t i = 0; i < kMaxLargeAtOnce; ++i) ASSERT_TRUE(writes(1000 + i, 1, kTwo));
  EXPECT_FALSE(writes(1000 + kMaxLargeAtOnce, 1, kTwo));
  EXPECT_TRUE(writes(1000, 1, kTwo)) << "those that were begun go on";
}

TEST_F(intake_desk, forgets_what_is_abandoned_and_what_a_closed_channel_sent) {
  ASSERT_TRUE(writes(100, 3));
  ASSERT_TRUE(writes(101, 3));
  EXPECT_TRUE(*desk_.take(kOne, Abandon{{100}}));
  EXPECT_FALSE(*desk_.take(kOne, Abandon{{105}})) << "it has no file";
  EXPECT_FALSE(desk_.take(kOne, commit(100, "x"))) << "an id serves once";
  EXPECT_EQ(desk_.closed(kOne), std::vector<QueueId>{{101}});
  EXPECT_EQ(desk_.being_written(), 0U);
  EXPECT_FALSE(desk_.written({101}, 3, {}));
  EXPECT_FALSE(desk_.take(kOne, commit(101, "x")));
}

}  // namespace
}  // namespace sternpost::spool_service

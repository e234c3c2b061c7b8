#include "service/spool/intake_desk.h"

#include <gtest/gtest.h>

namespace sternpost::spool_service {
namespace {

using namespace spool_intake;

constexpr ChannelId kOne = 1;
constexpr ChannelId kTwo = 2;
constexpr std::uint64_t kMost = 4 * kPieceBytes;

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
  static Piece piece(std::uint64_t id) { return {{id}, std::string(kPieceBytes, 'x')}; }
  /// Whether a piece is to be written; a breach is not.
  bool writes(std::uint64_t id, ChannelId channel = kOne) {
    const auto step = desk_.take(channel, piece(id));
    return step && step->write;
  }
  auto written(std::uint64_t id, const Result<void>& result = {}) {
    return desk_.written({id}, kPieceBytes, result);
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
  IntakeDesk desk_{{.max_message_bytes = kMost, .max_buffered_bytes = 4 * kPieceBytes},
                   [this](std::uint64_t, std::uint64_t) { return room_; }};
};

TEST_F(intake_desk, takes_a_message_in_one_frame_as_it_is) {
  auto taken = desk_.take(kOne, commit(103, "whole"));
  ASSERT_TRUE(taken);
  EXPECT_EQ(std::get<spool::AddMessage>(*taken).content, "whole");
  EXPECT_EQ(desk_.being_written(), 0U);
}

TEST_F(intake_desk, has_pieces_written_and_the_last_one_behind_them) {
  EXPECT_TRUE(writes(101));
  EXPECT_TRUE(writes(102));
  EXPECT_TRUE(writes(101));
  EXPECT_EQ(desk_.buffered_bytes(), 3 * kPieceBytes);
  const auto told = written(101);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->channel, kOne);
  EXPECT_EQ(told->taken.bytes, kPieceBytes);
  EXPECT_EQ(desk_.buffered_bytes(), 2 * kPieceBytes);
  EXPECT_EQ(large(commit(101, "last")).message.content, "last");
  EXPECT_EQ(desk_.being_written(), 3 * kPieceBytes + 4);
  EXPECT_FALSE(written(101)) << "nobody wants to know any more";
  EXPECT_GT(desk_.buffered_bytes(), kPieceBytes + 4) << "the last piece and the envelope are in memory";
  desk_.finished({101});
  EXPECT_EQ(desk_.being_written(), kPieceBytes) << "the other one is";
  EXPECT_EQ(desk_.buffered_bytes(), kPieceBytes);
}

TEST_F(intake_desk, refuses_ids_that_were_not_leased_to_the_channel) {
  for (const std::uint64_t id : {0U, 99U, 110U}) {
    EXPECT_FALSE(desk_.take(kOne, commit(id, "x"))) << id;
    EXPECT_FALSE(desk_.take(kOne, piece(id))) << id;
    EXPECT_FALSE(desk_.take(kOne, Abandon{{id}})) << id;
  }
  const auto other = desk_.take(kTwo, commit(100, "x"));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().what_to_do, ErrorClass::peer);
}

TEST_F(intake_desk, refuses_a_message_beyond_the_bound_and_takes_one_at_it) {
  for (std::uint64_t sent = 0; sent < kMost; sent += kPieceBytes) {
    ASSERT_TRUE(writes(102));
    ASSERT_TRUE(written(102));
  }
  const auto step = desk_.take(kOne, piece(102));
  ASSERT_TRUE(step);
  EXPECT_FALSE(step->write);
  EXPECT_TRUE(step->remove_file) << "dropped as soon as it is too large";
  EXPECT_EQ(step->taken->bytes, kMost + kPieceBytes);
  EXPECT_EQ(desk_.being_written(), 0U);
  const auto more = desk_.take(kOne, piece(102));
  EXPECT_FALSE(more->write || more->remove_file) << "once";
  EXPECT_EQ(refusal(commit(102, "")), 552);
  desk_.set_limits({.max_message_bytes = 1000, .max_buffered_bytes = kMost});
  EXPECT_EQ(refusal(commit(100, std::string(1000, 'x'))), 0);
  EXPECT_EQ(refusal(commit(101, std::string(1001, 'x'))), 552);
}

TEST_F(intake_desk, refuses_a_last_piece_that_makes_the_message_too_large) {
  desk_.set_limits({.max_message_bytes = kPieceBytes + 1000, .max_buffered_bytes = kMost});
  ASSERT_TRUE(writes(100));
  const auto taken = desk_.take(kOne, commit(100, std::string(1001, 'x')));
  ASSERT_TRUE(taken);
  const auto& refused = std::get<IntakeDesk::Refused>(*taken);
  EXPECT_EQ(refused.reply.code, 552);
  EXPECT_TRUE(refused.remove_file);
  EXPECT_EQ(desk_.being_written(), 0U);
}

TEST_F(intake_desk, refuses_for_now_what_exceeds_the_memory_for_all) {
  for (const std::uint64_t id : {100U, 101U, 100U, 101U}) EXPECT_TRUE(writes(id));
  EXPECT_FALSE(writes(102));
  EXPECT_EQ(desk_.buffered_bytes(), 4 * kPieceBytes);
  EXPECT_EQ(refusal(commit(102, "")), 452);
  EXPECT_EQ(refusal(commit(101, "x")), 452) << "the last piece needs memory too";
  ASSERT_TRUE(written(100));
  EXPECT_TRUE(writes(103)) << "there is room again";
}

TEST_F(intake_desk, holds_commits_without_end_against_the_memory_for_all) {
  desk_.leased(kOne, {1000}, 1000);
  auto sent = envelope(5000);
  const auto bound = 4 * kPieceBytes + encode(sent).size();
  std::uint64_t taken = 0;
  std::uint64_t refused = 0;
  for (std::uint64_t id = 1000; id < 1100; ++id) {
    if (writes(id)) written(id);  // the thread is slow with syncs alone
    ++(refusal({{id}, sent, "last", false}) == 0 ? taken : refused);
    ASSERT_LE(desk_.buffered_bytes(), bound);
  }
  EXPECT_GT(taken, 0U);
  EXPECT_GT(refused, 0U);
  for (std::uint64_t id = 1000; id < 1000 + taken; ++id) desk_.finished({id});
  EXPECT_EQ(desk_.buffered_bytes(), 0U);
  EXPECT_EQ(desk_.being_written(), 0U);
  EXPECT_TRUE(writes(1999));
}

TEST_F(intake_desk, refuses_for_now_what_the_queue_has_no_room_for) {
  room_ = fail(ErrorClass::temporary, "full", ENOSPC);
  EXPECT_FALSE(writes(100));
  EXPECT_EQ(refusal(commit(100, "")), 452);
  room_ = {};
  EXPECT_TRUE(writes(101));
  room_ = fail(ErrorClass::temporary, "failing", EIO);
  EXPECT_EQ(refusal(commit(101, "")), 451) << "the last piece needs room too";
}

TEST_F(intake_desk, refuses_a_message_whose_piece_could_not_be_written) {
  ASSERT_TRUE(writes(100));
  ASSERT_TRUE(writes(100));
  const auto full = fail(ErrorClass::temporary, "full", ENOSPC);
  const auto told = written(100, full);
  ASSERT_TRUE(told) << "the window goes on";
  EXPECT_EQ(told->taken.bytes, kPieceBytes);
  EXPECT_TRUE(told->remove_file);
  const auto again = written(100, full);
  EXPECT_EQ(again->taken.bytes, 2 * kPieceBytes);
  EXPECT_FALSE(again->remove_file) << "once";
  EXPECT_EQ(desk_.being_written(), 0U);
  EXPECT_EQ(refusal(commit(100, "")), 452);
}

TEST_F(intake_desk, refuses_pieces_of_another_size_than_pieces_have_and_more_than_the_window) {
  desk_.set_limits({.max_message_bytes = 4 * kWindowBytes, .max_buffered_bytes = 4 * kWindowBytes});
  for (const auto bytes : {std::size_t{0}, std::size_t{1}, kPieceBytes - 1, kPieceBytes + 1}) {
    const auto step = desk_.take(kOne, Piece{{100}, std::string(bytes, 'x')});
    ASSERT_FALSE(step) << bytes;
    EXPECT_EQ(step.error().what_to_do, ErrorClass::peer);
  }
  EXPECT_FALSE(desk_.take(kOne, commit(101, std::string(kPieceBytes + 1, 'x'))));
  for (std::size_t sent = 0; sent < kWindowBytes; sent += kPieceBytes) ASSERT_TRUE(writes(102));
  const auto beyond = desk_.take(kOne, piece(102));
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().what_to_do, ErrorClass::peer);
  ASSERT_TRUE(written(102));
  EXPECT_TRUE(writes(102));
}

TEST_F(intake_desk, refuses_messages_for_nobody_and_for_more_than_frames_hold) {
  EXPECT_FALSE(desk_.take(kOne, Commit{{100}, envelope(0), "x", false}));
  EXPECT_TRUE(std::holds_alternative<spool::AddMessage>(
      *desk_.take(kOne, Commit{{101}, envelope(1000), "x", false})));
  ASSERT_TRUE(writes(102));
  const auto taken = desk_.take(kOne, Commit{{102}, envelope(100'000), "x", false});
  ASSERT_TRUE(taken);
  const auto& refused = std::get<IntakeDesk::Refused>(*taken);
  EXPECT_EQ(refused.reply.code, 452);
  EXPECT_TRUE(refused.remove_file);
  EXPECT_EQ(desk_.being_written(), 0U);
}

TEST_F(intake_desk, leaves_as_many_files_and_as_much_memory_for_others_as_a_channel_takes) {
  constexpr std::uint64_t kMany = kMaxLargeAtOnce;
  desk_.set_limits({.max_message_bytes = kMost, .max_buffered_bytes = 2 * kMany * kPieceBytes});
  const auto begin_until_refused = [&](ChannelId channel) {
    const QueueId first{channel * 10'000};
    desk_.leased(channel, first, kMany);
    std::uint64_t begun = 0;
    while (begun < kMany && writes(first.value + begun, channel)) ++begun;
    return begun;
  };
  EXPECT_EQ(begin_until_refused(kTwo), kMany / 2);
  EXPECT_EQ(begin_until_refused(3), kMany / 4);
  EXPECT_EQ(begin_until_refused(4), kMany / 8);
  EXPECT_TRUE(writes(20'000, kTwo)) << "those that were begun go on";
  EXPECT_FALSE(writes(20'000 + kMany - 1, kTwo));
  EXPECT_TRUE(*desk_.take(kTwo, Abandon{{20'000}}));
  EXPECT_FALSE(writes(20'000 + kMany - 2, kTwo)) << "it has more than is left now";
  for (const ChannelId channel : {3U, 4U}) desk_.closed(channel);
  EXPECT_TRUE(writes(20'000 + kMany - 3, kTwo));

  desk_.set_limits({.max_message_bytes = kMost, .max_buffered_bytes = kMany * kPieceBytes});
  EXPECT_FALSE(writes(20'001, kTwo)) << "it has more memory than is left";
  EXPECT_TRUE(writes(100)) << "which is for others";
}

TEST_F(intake_desk, counts_a_file_until_it_is_durable) {
  desk_.leased(kTwo, {1000}, kMaxLargeAtOnce);
  desk_.set_limits({.max_message_bytes = kMost, .max_buffered_bytes = kWindowBytes});
  const auto commit_one = [&](std::uint64_t id) {
    if (!writes(id, kTwo)) return false;
    written(id);
    const auto taken = desk_.take(kTwo, commit(id, ""));
    return taken && std::holds_alternative<IntakeDesk::Large>(*taken);
  };
  std::uint64_t taken = 0;
  while (taken < kMaxLargeAtOnce && commit_one(1000 + taken)) ++taken;
  EXPECT_EQ(taken, kMaxLargeAtOnce / 2);
  desk_.finished({1000});
  EXPECT_TRUE(commit_one(1000 + taken + 1));
}

TEST_F(intake_desk, holds_messages_without_end_against_the_channel_that_sends_them_alone) {
  desk_.set_limits({.max_message_bytes = 1, .max_buffered_bytes = kMost});  // all are refused
  std::uint64_t sent = 0;
  for (; sent < kMaxPartial; ++sent) {
    desk_.leased(kTwo, {1000 + sent}, 1);
    ASSERT_TRUE(desk_.take(kTwo, piece(1000 + sent))) << sent;
  }
  EXPECT_TRUE(desk_.take(kOne, piece(100))) << "of another";
  EXPECT_TRUE(desk_.take(kTwo, piece(1000 + sent - 1))) << "one that is known";
  desk_.leased(kTwo, {1000 + sent}, 1);
  const auto beyond = desk_.take(kTwo, piece(1000 + sent));
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().what_to_do, ErrorClass::peer);
  EXPECT_TRUE(desk_.closed(kTwo).empty()) << "none has a file";
}

TEST_F(intake_desk, counts_notices_and_refuses_them_where_there_is_no_room) {
  const auto notice = [](std::uint64_t id) {
    return spool::AddMessage{{id}, envelope(), std::string(3 * kPieceBytes, 'n'), false};
  };
  EXPECT_TRUE(desk_.take(notice(500)));
  EXPECT_TRUE(desk_.take(notice(501))) << "it is the last one that exceeds the bound";
  EXPECT_GT(desk_.buffered_bytes(), 6 * kPieceBytes);
  EXPECT_EQ(desk_.being_written(), 6 * kPieceBytes);
  EXPECT_FALSE(desk_.take(notice(502)));
  EXPECT_FALSE(writes(100));
  desk_.finished({500});
  desk_.finished({501});
  EXPECT_EQ(desk_.buffered_bytes(), 0U);
  EXPECT_EQ(desk_.being_written(), 0U);
  room_ = fail(ErrorClass::temporary, "full", ENOSPC);
  EXPECT_FALSE(desk_.take(notice(503)));
  EXPECT_EQ(desk_.being_written(), 0U);
}

TEST_F(intake_desk, forgets_what_is_abandoned_and_what_a_closed_channel_sent) {
  ASSERT_TRUE(writes(100));
  ASSERT_TRUE(writes(101));
  EXPECT_TRUE(*desk_.take(kOne, Abandon{{100}}));
  EXPECT_FALSE(*desk_.take(kOne, Abandon{{105}})) << "it has no file";
  EXPECT_FALSE(desk_.take(kOne, commit(100, "x"))) << "an id serves once";
  EXPECT_EQ(desk_.closed(kOne), std::vector<QueueId>{{101}});
  EXPECT_EQ(desk_.being_written(), 0U);
  EXPECT_EQ(desk_.buffered_bytes(), 2 * kPieceBytes) << "they are in memory all the same";
  EXPECT_FALSE(written(101));
  EXPECT_FALSE(written(100));
  EXPECT_EQ(desk_.buffered_bytes(), 0U);
  EXPECT_FALSE(desk_.take(kOne, commit(101, "x")));
}

}  // namespace
}  // namespace sternpost::spool_service

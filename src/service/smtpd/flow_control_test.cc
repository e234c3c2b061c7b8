// Flow control towards spool: windows of messages, the bound of all of them, and spool's silence.
#include "service/smtpd/flow_control.h"

#include <gtest/gtest.h>

namespace sternpost::smtpd {
namespace {

using namespace std::chrono_literals;
using spool_intake::kPieceBytes;
using spool_intake::kWindowBytes;

constexpr QueueId kMessage{7};
constexpr QueueId kOther{8};
constexpr std::uint32_t kEpoch = 1;

class FlowControlTest : public testing::Test {
 protected:
  void send(QueueId id, std::uint32_t epoch = kEpoch) { flow.piece_sent({id, epoch}, kPieceBytes, now); }
  /// What one read after another becomes, until there is no room for one more. Answers the octets.
  std::uint64_t send_until_there_is_no_room(QueueId id) {
    std::uint64_t sent = 0;
    for (; flow.has_room(id) && sent < 4 * kWindowBytes; sent += FlowControl::kMostOfOneRead) {
      for (std::size_t i = 0; i < FlowControl::kMostOfOneRead; i += kPieceBytes) send(id);
    }
    return sent;
  }

  FlowControl::Time now{1h};
  FlowControl flow;
};

TEST_F(FlowControlTest, fills_the_window_of_a_message_and_does_not_exceed_it) {
  EXPECT_EQ(send_until_there_is_no_room(kMessage), kWindowBytes);
  EXPECT_EQ(flow.on_the_way(), kWindowBytes);
  EXPECT_TRUE(flow.has_room(kOther));
}

TEST_F(FlowControlTest, has_room_for_a_read_once_so_much_is_taken) {
  send_until_there_is_no_room(kMessage);
  ASSERT_TRUE(flow.taken(kMessage, kPieceBytes, now));
  EXPECT_FALSE(flow.has_room(kMessage));
  ASSERT_TRUE(flow.taken(kMessage, FlowControl::kMostOfOneRead, now));
  EXPECT_TRUE(flow.has_room(kMessage));
  EXPECT_EQ(flow.on_the_way(), kWindowBytes - FlowControl::kMostOfOneRead);
}

TEST_F(FlowControlTest, keeps_half_of_the_room_for_messages_without_pieces) {
  QueueId next = kMessage;
  while (flow.on_the_way() < FlowControl::kMostOnTheWay / 2) {
    ASSERT_GT(send_until_there_is_no_room(next), 0U);
    ++next.value;
  }
  EXPECT_TRUE(flow.has_room(next));
  send(next);
  EXPECT_FALSE(flow.has_room(next)) << "now it is a long one too";
  ASSERT_TRUE(flow.taken(next, kPieceBytes, now));
  EXPECT_TRUE(flow.has_room(next)) << "it goes on piece by piece";
}

TEST_F(FlowControlTest, has_room_for_nobody_at_the_bound_until_commits_are_answered) {
  const auto of_commit = flow.commit_sent(kMessage, FlowControl::kMostOnTheWay);
  EXPECT_EQ(of_commit, FlowControl::kMostOnTheWay);
  EXPECT_FALSE(flow.has_room(kOther));
  flow.release(of_commit);
  EXPECT_TRUE(flow.has_room(kOther));
  EXPECT_EQ(flow.on_the_way(), 0U);
}

TEST_F(FlowControlTest, leaves_what_was_not_taken_to_the_answer_of_the_commit) {
  send(kMessage);
  send(kMessage);
  ASSERT_TRUE(flow.taken(kMessage, kPieceBytes, now));
  const auto of_commit = flow.commit_sent(kMessage, 100);
  EXPECT_EQ(of_commit, kPieceBytes + 100);
  EXPECT_TRUE(flow.taken(kMessage, 2 * kPieceBytes, now));
  EXPECT_EQ(flow.on_the_way(), of_commit);
  flow.release(of_commit);
  EXPECT_EQ(flow.on_the_way(), 0U);
}

TEST_F(FlowControlTest, takes_no_more_than_was_sent_and_never_less_than_before) {
  send(kMessage);
  send(kMessage);
  EXPECT_FALSE(flow.taken(kMessage, 2 * kPieceBytes + 1, now));
  EXPECT_TRUE(flow.taken(kMessage, kPieceBytes + 1, now));
  EXPECT_TRUE(flow.taken(kMessage, kPieceBytes + 1, now));
  EXPECT_FALSE(flow.taken(kMessage, kPieceBytes, now));
  EXPECT_EQ(flow.on_the_way(), kPieceBytes - 1);
}

TEST_F(FlowControlTest, does_not_mind_what_is_said_of_messages_that_are_gone) {
  send(kMessage);
  flow.forget(kMessage);
  EXPECT_TRUE(flow.taken(kMessage, kPieceBytes, now));
  EXPECT_TRUE(flow.taken(kOther, kPieceBytes, now));
  EXPECT_EQ(flow.on_the_way(), 0U);
}

TEST_F(FlowControlTest, counts_nothing_of_a_channel_that_is_gone) {
  send(kMessage, 1);
  send(kOther, 2);
  flow.channel_closed(1);
  EXPECT_EQ(flow.on_the_way(), kPieceBytes);
  EXPECT_TRUE(flow.give_up(now + 1h).front().id == kOther);
}

TEST_F(FlowControlTest, gives_a_message_up_when_spool_has_been_silent_about_it_for_too_long) {
  send(kMessage);
  now += FlowControl::kPatience / 2;
  send(kMessage);
  send(kOther);
  EXPECT_TRUE(flow.give_up(now).empty());
  now += FlowControl::kPatience / 2;
  const auto late = flow.give_up(now);
  ASSERT_EQ(late.size(), 1U);
  EXPECT_EQ(late.front().id, kMessage);
  EXPECT_EQ(late.front().epoch, kEpoch);
  EXPECT_TRUE(flow.given_up(kMessage));
  EXPECT_TRUE(flow.has_room(kMessage)) << "what comes is dropped";
  EXPECT_EQ(flow.on_the_way(), kPieceBytes);
  EXPECT_TRUE(flow.give_up(now).empty()) << "once";
  EXPECT_TRUE(flow.taken(kMessage, kPieceBytes, now));
  flow.forget(kMessage);
  EXPECT_FALSE(flow.given_up(kMessage));
  EXPECT_EQ(flow.on_the_way(), kPieceBytes);
}

TEST_F(FlowControlTest, is_patient_with_a_spool_that_takes_some_now_and_then) {
  send_until_there_is_no_room(kMessage);
  for (std::uint64_t octets = 1; octets < 10; ++octets) {
    now += FlowControl::kPatience - 1s;
    EXPECT_TRUE(flow.taken(kMessage, octets, now));
    EXPECT_TRUE(flow.give_up(now).empty());
  }
}

TEST_F(FlowControlTest, does_not_hold_the_silence_of_the_client_against_spool) {
  send(kMessage);
  ASSERT_TRUE(flow.taken(kMessage, kPieceBytes, now));
  now += 1h;
  EXPECT_TRUE(flow.give_up(now).empty());
  send(kMessage);
  EXPECT_TRUE(flow.give_up(now).empty());
}

}  // namespace
}  // namespace sternpost::smtpd

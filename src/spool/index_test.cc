#include "spool/index.h"

#include <gtest/gtest.h>

#include "spool/arrivals.h"

namespace sternpost::spool {
namespace {

constexpr QueueId kId{1};

Place in(std::uint32_t slot) {
  return {slot, 4096, 100, 1000, 86};
}

TEST(index, a_segment_needs_its_live_messages_only) {
  Index index;
  index.put_message(kId, in(0), MessageState(1, false));
  index.put_message({2}, in(0), MessageState(1, false));
  EXPECT_EQ(index.need(0).items, 2U);
  EXPECT_GE(index.need(0).bytes, 2 * in(0).bytes());
  index.finish(kId, 0);
  EXPECT_EQ(index.need(0).items, 1U);
  index.finish({2}, 0);
  EXPECT_EQ(index.need(0).items, 0U);
  EXPECT_EQ(index.need(0).bytes, 0U);
}

TEST(index, takes_new_messages_that_were_made_ready_in_their_order) {
  Index made_ready;
  Index one_by_one;
  Arrivals arrivals;
  for (const std::uint64_t id : {7U, 3U, 5U}) {
    const Message message{in(2), in(2), MessageState(1, id == 3), {}, id};
    arrivals.add({id}, message);
    one_by_one.put_message({id}, in(2), message.state, id);
  }
  EXPECT_EQ(made_ready.live(), 0U);
  for (int twice = 0; twice < 2; ++twice) made_ready.put_messages(arrivals);
  EXPECT_EQ(made_ready.after(0, 9), one_by_one.after(0, 9));
  EXPECT_EQ(made_ready.find({3}), one_by_one.find({3}));
  EXPECT_EQ(made_ready.need(2).bytes, one_by_one.need(2).bytes);
  EXPECT_EQ(made_ready.need(2).items, 3U);
  EXPECT_EQ(made_ready.file_bytes(), 15U);
}

TEST(index, takes_nothing_of_what_was_dropped) {
  Index index;
  Arrivals arrivals;
  arrivals.add(kId, {in(0), in(0), MessageState(1, false), {}, 9});
  arrivals.clear();
  index.put_messages(arrivals);
  EXPECT_EQ(index.live(), 0U);
  EXPECT_EQ(index.need(0).items, 0U);
  EXPECT_EQ(index.file_bytes(), 0U);
}

TEST(index, forgets_a_segment_in_parts) {
  Index index;
  index.put_message(kId, in(0), MessageState(1, false));
  index.put_message({2}, in(0), MessageState(1, false));
  index.finish(kId, 1);
  index.finish({2}, 1);
  index.retire(0, std::vector{QueueId{2}});
  EXPECT_EQ(index.find_finished({2}), nullptr);
  EXPECT_NE(index.find_finished(kId), nullptr);
  EXPECT_EQ(index.need(1).items, 1U);
  index.retire(0, std::vector{kId});
  EXPECT_EQ(index.finished(), 0U);
  EXPECT_EQ(index.need(1).items, 0U);
}

TEST(index, a_certificate_is_needed_while_the_message_is_found_elsewhere) {
  Index index;
  index.put_message(kId, in(0), MessageState(1, false));
  index.finish(kId, 1);
  EXPECT_EQ(index.need(1).items, 1U);
  index.retire(0, std::vector{kId});
  EXPECT_EQ(index.need(1).items, 0U);
  EXPECT_EQ(index.find_finished(kId), nullptr);
}

TEST(index, a_certificate_is_needed_for_superseded_copies_too) {
  Index index;
  index.put_message(kId, in(0), MessageState(1, false));
  index.put_message(kId, in(1), MessageState(1, false));  // moved, and slot 0 not reset yet
  index.finish(kId, 2);
  index.retire(1, std::vector{kId});
  EXPECT_EQ(index.need(2).items, 1U);
  ASSERT_NE(index.find_finished(kId), nullptr);
  EXPECT_EQ(index.copies(kId), std::vector<std::uint32_t>{0});
  index.finish(kId, 3);  // a dead list
  EXPECT_EQ(index.need(2).items, 0U);
  EXPECT_EQ(index.need(3).items, 1U);
}

TEST(index, state_records_are_needed_until_all_of_the_state_is_written_again) {
  Index index;
  index.put_message(kId, in(0), MessageState(2, false));
  index.put_state(kId, 1, MessageState(2, true));
  index.put_state(kId, 2, MessageState(2, false));
  EXPECT_EQ(index.need(1).items, 1U);
  const auto envelope = in(3);
  index.put_state(kId, 3, MessageState(2, false), &envelope);
  EXPECT_EQ(index.need(1).items, 0U);
  EXPECT_EQ(index.need(2).items, 0U);
  EXPECT_EQ(index.need(3).items, 1U);
  index.put_message(kId, in(4), MessageState(2, false));
  EXPECT_EQ(index.need(3).items, 0U);
  EXPECT_EQ(index.need(0).items, 0U);
  EXPECT_EQ(index.need(4).items, 1U);
}

TEST(index, positions_rise_and_survive_moving) {
  Index index;
  for (std::uint64_t id = 1; id <= 5; ++id) index.put_message({id}, in(0), MessageState(1, false));
  index.put_message({2}, in(1), MessageState(1, false));
  index.finish({3}, 0);
  const auto first = index.after(0, 3);
  ASSERT_EQ(first.size(), 3U);
  EXPECT_EQ(first[1].second, QueueId{2});
  EXPECT_EQ(first[2].second, QueueId{4});
  const auto rest = index.after(first.back().first, 10);
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_EQ(rest[0].second, QueueId{5});
}

TEST(index, keeps_its_order_when_most_messages_are_finished) {
  Index index;
  for (std::uint64_t id = 1; id <= 10000; ++id) index.put_message({id}, in(0), MessageState(1, false));
  for (std::uint64_t id = 1; id < 10000; ++id) index.finish({id}, 0);
  const auto left = index.after(0, 10);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0], std::pair(std::uint64_t{10000}, QueueId{10000}));
}

TEST(index, ignores_what_no_segment_holds) {
  Index index;
  index.finish({9}, 1);
  index.put_state({9}, 1, MessageState(1, false));
  EXPECT_EQ(index.live(), 0U);
  EXPECT_EQ(index.finished(), 0U);
  EXPECT_EQ(index.need(1).items, 0U);
}

}  // namespace
}  // namespace sternpost::spool

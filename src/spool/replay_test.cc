#include "spool/replay.h"

#include <gtest/gtest.h>

#include "spool/content_file.h"
#include "spool/reader.h"

namespace sternpost::spool {
namespace {

/// Replays heads as records of one segment, in order.
class replay_of : public testing::Test {
 protected:
  template <class Head>
  ReplayFault put(RecordType type, QueueId id, const Head& head, std::uint32_t slot = 0,
                  std::string_view content = {}) {
    const auto bytes = encode(head);
    RecordView record;
    record.header.type = type;
    record.header.id = id;
    record.head = bytes;
    record.content = content;
    return replay(record, slot, index_, committed_);
  }
  ReplayFault put_message(std::uint32_t recipients, ContentKind kind = ContentKind::inline_bytes,
                          std::string_view content = {}) {
    return put(RecordType::message, kId, MessageHead{kind, {}, {false, false, recipients, {}, "envelope"}}, 0,
               content);
  }
  static OutcomeHead outcome(std::uint32_t recipient, mail::Disposition disposition, bool finishes = false) {
    return {{{recipient, disposition, {}, {}}}, finishes};
  }

  static constexpr QueueId kId{7};
  Index index_;
  IdSet committed_{100};
};

TEST_F(replay_of, a_message_whose_content_is_in_a_file_knows_how_long_that_is) {
  EXPECT_EQ(put_message(1, ContentKind::file, encode(ContentFile{70'000, 5})), ReplayFault::none);
  EXPECT_EQ(index_.outline(kId)->file_bytes, 70'000U);
  EXPECT_EQ(index_.file_bytes(), 70'000U);
  EXPECT_EQ(put(RecordType::outcome, kId, outcome(0, mail::Disposition::delivered, true)), ReplayFault::none);
  EXPECT_EQ(index_.file_bytes(), 0U);
  EXPECT_EQ(index_.take_discarded(), std::vector<QueueId>{kId});
}

TEST_F(replay_of, a_message_that_does_not_say_what_its_content_file_is_is_malformed) {
  for (const auto& content : {std::string(), encode(ContentFile{0, 5}), encode(ContentFile{1, 5}) + "x",
                              encode(ContentFile{kMaxContentFile + 1, 5})}) {
    EXPECT_EQ(put_message(1, ContentKind::file, content), ReplayFault::malformed);
  }
  EXPECT_FALSE(index_.find(kId));
  EXPECT_TRUE(committed_.contains(kId)) << "it was acknowledged once";
}

TEST_F(replay_of, a_message_without_open_recipients_is_malformed) {
  EXPECT_EQ(put_message(0), ReplayFault::malformed);
  EXPECT_EQ(index_.live(), 0U);
}

TEST_F(replay_of, heads_with_bytes_behind_them_are_malformed) {
  struct Longer {
    Mark mark;
    bool more = true;
    static constexpr auto fields() { return std::tuple(&Longer::mark, &Longer::more); }
  };
  EXPECT_EQ(put(RecordType::mark, kId, Longer{}), ReplayFault::malformed);
}

TEST_F(replay_of, outcomes_that_do_not_fit_change_nothing) {
  EXPECT_EQ(put_message(2), ReplayFault::none);
  EXPECT_EQ(put(RecordType::outcome, kId, outcome(2, mail::Disposition::delivered)), ReplayFault::misfit);
  EXPECT_EQ(put(RecordType::outcome, kId, outcome(0, mail::Disposition::delivered)), ReplayFault::none);
  EXPECT_EQ(put(RecordType::outcome, kId, outcome(0, mail::Disposition::delivered)), ReplayFault::misfit);
  EXPECT_EQ(put(RecordType::outcome, kId, outcome(1, mail::Disposition::delivered)), ReplayFault::misfit)
      << "it finishes the message and does not say so";
  ASSERT_TRUE(index_.find(kId));
  EXPECT_EQ(index_.find(kId)->state.open(), 1U);
}

TEST_F(replay_of, a_finishing_outcome_is_proof_alone) {
  EXPECT_EQ(put_message(3), ReplayFault::none);
  EXPECT_EQ(put(RecordType::outcome, kId, outcome(2, mail::Disposition::delivered, true)), ReplayFault::none);
  EXPECT_FALSE(index_.find(kId));
}

TEST_F(replay_of, a_dead_list_finishes_what_it_names) {
  EXPECT_EQ(put_message(3), ReplayFault::none);
  EXPECT_EQ(put(RecordType::dead_list, {}, DeadList{0, 1, {{5}, kId}}, 4), ReplayFault::none);
  EXPECT_FALSE(index_.find(kId));
  EXPECT_TRUE(committed_.contains({5}));
  ASSERT_NE(index_.find_finished(kId), nullptr);
  EXPECT_EQ(index_.find_finished(kId)->certificate, 4U);
}

TEST_F(replay_of, what_is_finished_stays_finished_whatever_a_damaged_log_says) {
  EXPECT_EQ(put_message(1), ReplayFault::none);
  EXPECT_EQ(put(RecordType::outcome, kId, outcome(0, mail::Disposition::delivered, true)), ReplayFault::none);
  const auto copies = index_.copies(kId).size();
  EXPECT_EQ(put_message(1), ReplayFault::none);
  EXPECT_FALSE(index_.find(kId));
  EXPECT_EQ(index_.copies(kId).size(), copies + 1);
}

TEST_F(replay_of, records_of_unknown_messages_are_leftovers) {
  EXPECT_EQ(put(RecordType::outcome, kId, outcome(9, mail::Disposition::deferred)), ReplayFault::none);
  EXPECT_EQ(put(RecordType::mark, kId, Mark{MarkKind::hold}), ReplayFault::none);
  EXPECT_EQ(put(RecordType::envelope, kId, FullState{false, false, 1, {}, "e"}), ReplayFault::none);
  EXPECT_EQ(index_.live(), 0U);
}

TEST(to_record, leaves_out_reply_texts_that_do_not_fit) {
  MessageState state(3, false);
  state.apply(std::vector<mail::RecipientOutcome>{
      {0, mail::Disposition::failed, {550, {5, 0, 0}, std::string(512, 'x')}, WallTime{3}},
      {1, mail::Disposition::delivered, {250, {2, 0, 0}, "done"}, WallTime{3}},
      {2, mail::Disposition::deferred, {450, {4, 0, 0}, std::string(400, 'y')}, WallTime{3}}});
  const auto whole = to_record(state, "envelope", 1200);
  EXPECT_EQ(whole.attempted[0].last.reply.text.size(), 512U);
  EXPECT_EQ(whole.attempted[2].last.reply.text.size(), 400U);
  const auto tight = to_record(state, "envelope", 1000);
  EXPECT_EQ(tight.attempted[0].last.reply.text.size(), 512U) << "a notice is owed";
  EXPECT_TRUE(tight.attempted[2].last.reply.text.empty());
  EXPECT_TRUE(state.find(2)->last.reply.text.empty()) << "what is not written is not known";
  const auto bare = to_record(state, "envelope", 500);
  EXPECT_TRUE(bare.attempted[0].last.reply.text.empty());
  EXPECT_EQ(bare.attempted[0].last.reply.code, 550);
  EXPECT_EQ(bare.attempted[0].attempts, 1U);
  EXPECT_LE(encode(bare.attempted[0]).size(), kBareStateBytes);
}

}  // namespace
}  // namespace sternpost::spool

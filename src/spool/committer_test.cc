#include "spool/committer.h"

#include <gtest/gtest.h>

#include "spool/engine_test_rig.h"
#include "spool/recovery.h"

namespace sternpost::spool {
namespace {

/// Of the ids that were committed only two runs are remembered.
class committer_that_forgets : public EngineRig {
 protected:
  committer_that_forgets() {
    engine_.reset();
    EXPECT_TRUE(recover(*disk_, log_options_, CheckpointUse::none, log_, index_, committed_));
    while (housekeeper_.maintain(Upkeep::all, kUpkeepStep).value_or(false)) {
    }
  }

  AddMessage message(QueueId id) {
    AddMessage add{id, {}, "content", false};
    add.envelope.recipients.push_back(*mail::Mailbox::from_wire("user@example.org"));
    return add;
  }
  Result<void> commit(Op op) { return committer_.commit(std::vector{std::move(op)}).front(); }

  SegmentLogOptions log_options_{.segment_bytes = 65536, .max_bytes = 1 << 20U, .salt = 1};
  SegmentLog log_{*disk_, clock_, log_options_};
  Index index_;
  IdSet committed_{2};
  Housekeeper housekeeper_{log_, index_, clock_, kLeastSpares, kBlock};
  Committer committer_{log_, index_, committed_, housekeeper_, {65536, 1 << 20U}};
};

TEST_F(committer_that_forgets, takes_no_id_twice_that_the_log_still_tells_of) {
  const auto first = log_.lease(8)->value;
  for (const auto n : {0U, 2U, 4U}) ASSERT_TRUE(commit(message({first + n})));
  EXPECT_FALSE(committed_.contains({first})) << "or this shows nothing";
  for (const bool finished : {false, true}) {
    if (finished) ASSERT_TRUE(commit(outcome({first}, 0, mail::Disposition::delivered)));
    EXPECT_TRUE(committer_.was_committed({first}));
    const auto again = commit(message({first}));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().text, "this queue id was used already");
  }
  EXPECT_EQ(index_.live(), 2U);
  EXPECT_FALSE(committer_.was_committed({first - 1}));
  EXPECT_FALSE(committer_.was_committed({first + 1}));
  EXPECT_TRUE(commit(message({first + 1})));
}

TEST_F(committer_that_forgets, leaves_the_content_file_of_a_message_whose_id_comes_again) {
  const auto first = log_.lease(8)->value;
  auto large = message({first});
  large.content.clear();
  large.file = ContentFile{70'000, 5};
  ASSERT_TRUE(commit(large)) << "which says that its file is there";
  for (const auto n : {2U, 4U}) ASSERT_TRUE(commit(message({first + n})));
  EXPECT_FALSE(commit(large));
  EXPECT_TRUE(committer_.take_discarded().empty());
}

}  // namespace
}  // namespace sternpost::spool

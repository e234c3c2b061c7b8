#include "spool/engine.h"

#include "spool/engine_test_rig.h"

namespace sternpost::spool {
namespace {

class engine : public EngineRig {};

TEST_F(engine, gives_back_what_was_committed_also_after_a_restart) {
  const auto one = message("content\r\n", 3);
  ASSERT_TRUE(commit(one));
  ASSERT_TRUE(commit(outcome(one.id, 1, mail::Disposition::deferred)));
  ASSERT_TRUE(commit(Hold{one.id}));
  for (int life = 0; life < 3; ++life, start()) {
    auto found = engine_->find(one.id);
    ASSERT_TRUE(found);
    EXPECT_EQ(engine_->read_content(one.id), one.content);
    EXPECT_EQ(engine_->read_envelope(one.id), one.envelope);
    EXPECT_TRUE(found->state.held);
    EXPECT_EQ(found->state.open(), 3U);
    ASSERT_NE(found->state.find(1), nullptr);
    EXPECT_TRUE(found->state.find(1)->last.reply.text.empty()) << "it is not kept in memory";
    EXPECT_EQ(text_of(one.id, 1), "reply");
  }
}

TEST_F(engine, keeps_a_message_that_failed_for_good_until_it_is_deleted) {
  const auto id = add("x", 2);
  ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::delivered)));
  ASSERT_TRUE(commit(outcome(id, 1, mail::Disposition::failed)));
  for (int life = 0; life < 2; ++life, start()) {
    ASSERT_TRUE(engine_->find(id)) << "accepted mail does not leave without a word";
    EXPECT_EQ(engine_->find(id)->state.open(), 0U);
    EXPECT_EQ(engine_->find(id)->state.owing(), 1U);
    EXPECT_EQ(engine_->read_content(id), "x");
  }
  EXPECT_FALSE(commit(outcome(id, 1, mail::Disposition::delivered))) << "it ended once";
  EXPECT_FALSE(commit(outcome(id, 0, mail::Disposition::deleted))) << "it was delivered";
  ASSERT_TRUE(commit(outcome(id, 1, mail::Disposition::deleted)));
  EXPECT_FALSE(engine_->find(id));
}

TEST_F(engine, a_notice_and_what_it_settles_are_one) {
  const auto id = add("x", 3);
  ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::failed)));
  auto first = message("you should know", 1);
  first.settles = Settlement{id, {0}, true};
  ASSERT_TRUE(commit(first));
  for (int life = 0; life < 2; ++life, start()) {
    ASSERT_TRUE(engine_->find(id));
    EXPECT_EQ(engine_->find(id)->state.owing(), 0U);
    EXPECT_EQ(engine_->find(id)->state.open(), 2U);
    EXPECT_TRUE(engine_->find(id)->state.warned);
    EXPECT_EQ(engine_->read_content(first.id), "you should know");
  }
  auto again = message("once more", 1);
  again.settles = Settlement{id, {0}, false};
  EXPECT_FALSE(commit(again)) << "a sender is told once";
  EXPECT_FALSE(engine_->find(again.id));

  ASSERT_TRUE(commit(outcome(id, 1, mail::Disposition::failed)));
  ASSERT_TRUE(commit(outcome(id, 2, mail::Disposition::failed)));
  auto last = message("the rest", 1);
  last.settles = Settlement{id, {1, 2}, false};
  ASSERT_TRUE(commit(last));
  for (int life = 0; life < 2; ++life, start()) {
    EXPECT_FALSE(engine_->find(id));
    EXPECT_TRUE(engine_->find(last.id));
  }
}

TEST_F(engine, what_a_notice_settled_stays_settled_when_the_notice_is_gone_and_its_segment_recycled) {
  const auto id = add("x", 1);
  const auto other = add("y", 2);
  ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::failed)));
  ASSERT_TRUE(commit(outcome(other, 0, mail::Disposition::failed)));
  for (const auto& settled : {Settlement{id, {0}, false}, Settlement{other, {0}, true}}) {
    auto notice = message("n", 1);
    notice.settles = settled;
    ASSERT_TRUE(commit(notice));
    ASSERT_TRUE(commit(outcome(notice.id, 0, mail::Disposition::delivered)));
  }
  const auto recycled_before = engine_->stats().log.segments_reset;
  for (int i = 0; i < 200 && engine_->stats().log.segments_reset < recycled_before + 6; ++i) {
    const auto filler = add(std::string(8000, 'f'));
    ASSERT_TRUE(commit(outcome(filler, 0, mail::Disposition::delivered)));
    while (engine_->maintain().value_or(false)) {
    }
  }
  ASSERT_GE(engine_->stats().log.segments_reset, recycled_before + 6);
  for (int life = 0; life < 2; ++life, start()) {
    EXPECT_FALSE(engine_->find(id));
    ASSERT_TRUE(engine_->find(other));
    EXPECT_EQ(engine_->find(other)->state.owing(), 0U);
    EXPECT_TRUE(engine_->find(other)->state.warned);
  }
}

TEST_F(engine, forgets_a_message_when_all_is_settled_but_not_that_it_was_committed) {
  const auto id = add("x", 2);
  ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::delivered)));
  EXPECT_TRUE(engine_->find(id));
  ASSERT_TRUE(commit(outcome(id, 1, mail::Disposition::deleted)));
  for (int life = 0; life < 2; ++life, start()) {
    EXPECT_FALSE(engine_->find(id));
    EXPECT_TRUE(engine_->was_committed(id));
    EXPECT_FALSE(engine_->read_content(id));
  }
}

TEST_F(engine, leaves_what_is_not_pressing_for_a_pause) {
  options_.spare_segments = 5;
  start();
  const auto most_spares = [&](Upkeep upkeep) {
    std::uint64_t most = 0;
    for (int commits = 0; commits < 60; ++commits) {
      (void)add("x");
      while (engine_->maintain(upkeep).value_or(false)) {
      }
      most = std::max(most, engine_->stats().spares);
    }
    return most;
  };
  EXPECT_EQ(most_spares(Upkeep::pressing), 3U);
  EXPECT_TRUE(engine_->maintain());
  EXPECT_EQ(most_spares(Upkeep::pressing), 3U) << "also in the midst of it";
  EXPECT_EQ(most_spares(Upkeep::all), 5U);
}

TEST_F(engine, never_gives_an_id_twice) {
  std::uint64_t last = 0;
  for (int life = 0; life < 5; ++life, start()) {
    for (const std::uint32_t count : {1U, 1024U, 65536U, 3U}) {
      const auto first = engine_->lease(count);
      ASSERT_TRUE(first);
      EXPECT_GT(first->value, last);
      last = first->value + count - 1;
    }
  }
  EXPECT_FALSE(engine_->lease(0));
  EXPECT_FALSE(engine_->lease(65537));
}

TEST_F(engine, refuses_a_bad_operation_without_harm_to_the_others) {
  const auto id = add("x", 1);
  const std::vector<Op> ops{outcome({12345678}, 0, mail::Disposition::delivered),
                            outcome(id, 1, mail::Disposition::delivered),
                            Hold{id},
                            AddMessage{{999999999}, message("y").envelope, "never leased", false},
                            outcome(id, 0, mail::Disposition::delivered),
                            outcome(id, 0, mail::Disposition::delivered)};
  const auto results = engine_->commit(ops);
  const std::vector<bool> expected{false, false, true, false, true, false};
  for (std::size_t i = 0; i < ops.size(); ++i) {
    EXPECT_EQ(results[i].has_value(), expected[i]) << i;
    if (!results[i]) EXPECT_EQ(results[i].error().what_to_do, ErrorClass::permanent) << i;
  }
}

TEST_F(engine, refuses_a_message_beyond_the_bound_and_takes_one_at_it) {
  EXPECT_TRUE(commit(message(std::string(options_.max_message_bytes, 'x'))));
  EXPECT_FALSE(commit(message(std::string(options_.max_message_bytes + 1, 'x'))));
  EXPECT_FALSE(commit(message("x", 2000))) << "an envelope of more than half a segment";
  EXPECT_FALSE(commit(message("x", 0)));
}

TEST_F(engine, refuses_to_commit_an_id_twice) {
  const auto one = message("x");
  ASSERT_TRUE(commit(one));
  EXPECT_FALSE(commit(one));
  ASSERT_TRUE(commit(outcome(one.id, 0, mail::Disposition::delivered)));
  EXPECT_FALSE(commit(one));
}

TEST_F(engine, splits_a_batch_that_is_larger_than_a_segment) {
  std::vector<Op> ops;
  for (int i = 0; i < 20; ++i) ops.emplace_back(message(std::string(10000, 'x')));
  for (const auto& result : engine_->commit(ops)) EXPECT_TRUE(result);
  EXPECT_EQ(engine_->stats().live, 20U);
  EXPECT_GE(engine_->stats().segments, 4U);
  start();
  EXPECT_EQ(engine_->stats().live, 20U);
}

TEST_F(engine, replaces_an_envelope_and_keeps_who_is_finished) {
  const auto id = add("x", 2);
  ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::delivered)));
  auto envelope = *engine_->read_envelope(id);
  envelope.recipients[1] = *mail::Mailbox::from_wire("list-a@example.org");
  envelope.recipients.push_back(*mail::Mailbox::from_wire("list-b@example.org"));
  ASSERT_TRUE(commit(ReplaceEnvelope{id, envelope}));
  start();
  EXPECT_EQ(engine_->read_envelope(id), envelope);
  EXPECT_FALSE(engine_->find(id)->state.is_open(0));
  EXPECT_EQ(engine_->find(id)->state.open(), 2U);
  auto fewer = envelope;
  fewer.recipients.pop_back();
  EXPECT_FALSE(commit(ReplaceEnvelope{id, fewer}));
  envelope.recipients[0] = *mail::Mailbox::from_wire("other@example.org");
  EXPECT_FALSE(commit(ReplaceEnvelope{id, envelope})) << "a finished recipient";
}

TEST_F(engine, knows_how_much_is_needed_still_whatever_the_log_has_grown_to) {
  std::vector<QueueId> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(add(std::string(kSegment / 8, 'x')));
  const auto full = engine_->stats();
  EXPECT_GE(full.needed_bytes, 20 * kSegment / 8);
  for (const auto id : ids) ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::delivered)));
  for (int life = 0; life < 2; ++life, start()) {
    EXPECT_GE(engine_->stats().segments, 2U) << "they are not written again yet";
    EXPECT_LT(engine_->stats().needed_bytes, kSegment / 8);
  }
}

TEST_F(engine, recycles_segments_of_finished_mail_and_moves_what_is_left) {
  const auto kept = add(std::string(3000, 'k'), 2);
  ASSERT_TRUE(commit(outcome(kept, 1, mail::Disposition::delivered)));
  ASSERT_TRUE(commit(outcome(kept, 0, mail::Disposition::deferred)));
  for (int i = 0; i < 200; ++i) {
    const auto id = add(std::string(8000, 'x'));
    ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::delivered)));
    maintain_all();
  }
  const auto stats = engine_->stats();
  EXPECT_LE(stats.bytes, 6 * kSegment);
  EXPECT_GT(stats.log.segments_reset, 10U);
  EXPECT_EQ(stats.quarantined, 0U);
  for (int life = 0; life < 2; ++life, start()) {
    EXPECT_EQ(engine_->stats().live, 1U);
    EXPECT_EQ(engine_->read_content(kept), std::string(3000, 'k'));
    EXPECT_EQ(engine_->find(kept)->state.open(), 1U);
    EXPECT_EQ(text_of(kept, 0), "reply") << "why it is late is known still";
    EXPECT_EQ(text_of(kept, 1), "");
  }
}

TEST_F(engine, gathers_mail_that_stays_and_moves_it_no_more) {
  const auto kept = add(std::string(3000, 'k'));
  const auto add_and_finish = [&](std::size_t until) {
    while (engine_->stats().log.segments_reset < until) {
      const auto id = add(std::string(8000, 'x'));
      ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::delivered)));
      maintain_all();
    }
  };
  options_.spare_segments = 4;
  start();
  add_and_finish(2);
  EXPECT_GT(engine_->stats().log.deferred_groups, 0U);
  const auto place = engine_->find(kept)->data;
  add_and_finish(30);
  EXPECT_EQ(engine_->find(kept)->data, place);
  EXPECT_EQ(engine_->stats().log.deferred_groups, 1U) << "nothing else was worth moving";
  start();
  EXPECT_EQ(engine_->read_content(kept), std::string(3000, 'k'));
}

TEST_F(engine, gives_back_what_a_time_of_much_mail_took) {
  options_.max_spool_bytes = 200 * kSegment;
  start();
  std::vector<QueueId> ids;
  for (int i = 0; i < 200; ++i) ids.push_back(add(std::string(15000, 'x')));
  const auto most = engine_->stats().bytes;
  EXPECT_GT(most, 40 * kSegment);
  for (const auto id : ids) ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::delivered)));
  maintain_all();
  const auto least = engine_->stats().bytes;
  EXPECT_LE(least, (options_.spare_segments + 4) * kSegment);
  std::uint64_t on_disk = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder_)) on_disk += file.file_size();
  EXPECT_EQ(on_disk, least);
  start();
  const auto id = add("y");
  maintain_all();
  start();
  EXPECT_EQ(engine_->read_content(id), "y");
}

TEST_F(engine, rests_when_there_is_no_more_to_give_back) {
  options_.spare_segments = 5;
  options_.max_spool_bytes = 200 * kSegment;
  start();
  std::vector<std::pair<std::uint32_t, std::uint64_t>> places;
  for (int i = 0; i < 80; ++i) {
    const auto place = engine_->find(add(std::string(15000, 'x')))->data;
    places.emplace_back(place.slot, place.offset + place.bytes() - 1);
  }
  for (const auto& [slot, offset] : places) flip(slot, offset);
  start();
  EXPECT_GT(engine_->stats().quarantined, 15U) << "they are kept as they are";
  int steps = 0;
  while (steps < 1000 && engine_->maintain().value_or(false)) ++steps;
  EXPECT_LT(steps, 1000);
  EXPECT_EQ(engine_->stats().spares, 5U);
}

TEST_F(engine, refuses_mail_when_full_and_still_records_outcomes_and_recovers_from_it) {
  options_.max_spool_bytes = 6 * kSegment;
  start();
  std::vector<QueueId> ids;
  Result<void> result;
  for (int i = 0; i < 200 && result; ++i) {
    auto one = message(std::string(9000, 'x'));
    const auto id = one.id;
    result = commit(std::move(one));
    if (result) ids.push_back(id);
  }
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().what_to_do, ErrorClass::temporary);
  EXPECT_EQ(result.error().errno_value, ENOSPC);
  EXPECT_LE(engine_->stats().bytes, 6 * kSegment);
  EXPECT_GT(ids.size(), 15U);
  for (const auto id : ids) ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::delivered)));
  maintain_all();
  EXPECT_TRUE(commit(message(std::string(9000, 'x'))));
}

TEST_F(engine, takes_the_end_of_every_message_when_all_of_a_full_spool_has_failed) {
  options_.max_spool_bytes = 6 * kSegment;
  start();
  std::vector<QueueId> ids;
  while (true) {
    auto one = message("x");
    const auto id = one.id;
    if (!commit(std::move(one))) break;
    ids.push_back(id);
  }
  std::vector<Op> expired;
  for (const auto id : ids) {
    auto failed = outcome(id, 0, mail::Disposition::failed);
    failed.outcomes.front().reply.text = std::string(kMaxReplyText, 'x');
    expired.emplace_back(std::move(failed));
  }
  for (const auto& result : engine_->commit(expired)) {
    if (!result) EXPECT_EQ(result.error().errno_value, ENOSPC);
  }
  for (const auto id : ids) ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::deleted)));
  EXPECT_EQ(engine_->stats().live, 0U);
}

TEST_F(engine, leaves_the_free_space_that_it_must) {
  options_.min_free_bytes = 1000;
  disk_->free = kSegment + 999;
  start();
  const auto lease = engine_->lease(1);
  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().errno_value, ENOSPC);
  disk_->free = kSegment + 1000;
  EXPECT_TRUE(engine_->lease(1));
}

TEST_F(engine, writes_a_deferral_while_the_log_may_grow) {
  options_.max_spool_bytes = 6 * kSegment;
  start();
  std::vector<QueueId> ids;
  while (true) {
    auto one = message(std::string(3000, 'x'));
    const auto id = one.id;
    if (!commit(std::move(one))) break;
    ids.push_back(id);
  }
  options_.max_spool_bytes = 12 * kSegment;
  ASSERT_TRUE(engine_->reconfigure(options_));
  for (const auto id : ids) ASSERT_TRUE(commit(outcome(id, 0, mail::Disposition::deferred)));
  EXPECT_EQ(engine_->stats().deferrals_in_memory, 0U);
}

TEST_F(engine, does_not_open_what_another_version_wrote) {
  const auto id = add("x");
  constexpr std::uint64_t kHighByteOfVersion = 9;
  flip(engine_->find(id)->data.slot, kHighByteOfVersion);
  engine_.reset();
  const auto opened = Engine::open(*disk_, clock_, options_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().what_to_do, ErrorClass::internal);
}

TEST_F(engine, works_on_with_segments_of_another_size) {
  const auto id = add(std::string(5000, 'a'));
  options_.segment_bytes = 2 * kSegment;
  options_.max_spool_bytes = 40 * kSegment;
  start();
  EXPECT_EQ(engine_->read_content(id), std::string(5000, 'a'));
  for (int i = 0; i < 100; ++i) {
    const auto other = add(std::string(8000, 'x'));
    ASSERT_TRUE(commit(outcome(other, 0, mail::Disposition::delivered)));
    maintain_all();
  }
  EXPECT_EQ(engine_->read_content(id), std::string(5000, 'a'));
  for (const auto& file : std::filesystem::directory_iterator(folder_)) {
    EXPECT_EQ(file.file_size(), 2 * kSegment) << file.path();
  }
}

TEST_F(engine, says_which_options_do_not_fit_together) {
  const auto refused = [&](auto change) {
    auto options = options_;
    change(options);
    return !check(options);
  };
  EXPECT_TRUE(check(options_));
  EXPECT_TRUE(refused([](auto& o) { o.segment_bytes = 65537; }));
  EXPECT_TRUE(refused([](auto& o) { o.segment_bytes = 32768; }));
  EXPECT_TRUE(refused([](auto& o) { o.segment_bytes = 2ULL << 30U; }));
  EXPECT_TRUE(refused([](auto& o) { o.spare_segments = 0; }));
  EXPECT_TRUE(refused([](auto& o) { o.max_spool_bytes = 3 * o.segment_bytes; }));
  EXPECT_TRUE(refused([](auto& o) { o.max_group_bytes = 100; }));
  auto larger = options_;
  larger.segment_bytes *= 2;
  EXPECT_FALSE(engine_->reconfigure(larger));
}

}  // namespace
}  // namespace sternpost::spool

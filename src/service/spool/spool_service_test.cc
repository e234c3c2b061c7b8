#include "service/spool/spool_service_test_rig.h"

namespace sternpost::spool_service {
namespace {

class spool_service : public SpoolServiceRig {};

TEST_F(spool_service, carries_a_message_from_intake_to_agent_and_records_its_outcome) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  const auto hands = agent();
  const auto id = commit(*intake, "content", 2);
  EXPECT_EQ(intake->of<spool_intake::Committed>().at(0).ids, std::vector{id});

  qmgr->send(spool_qmgr::Pull{0, 10});
  settle();
  const auto pulled = qmgr->of<spool_qmgr::Pulled>();
  ASSERT_EQ(pulled.size(), 1U);
  ASSERT_EQ(pulled[0].messages.size(), 1U);
  EXPECT_EQ(pulled[0].messages[0].id, id);
  EXPECT_EQ(pulled[0].messages[0].recipients.size(), 2U);

  qmgr->send(order(id, {0, 1}));
  settle();
  const auto jobs = hands->of<spool_agent::Job>();
  ASSERT_EQ(jobs.size(), 1U);
  EXPECT_EQ(jobs[0].last_piece, "content");
  EXPECT_EQ(jobs[0].recipients.at(1).address.to_wire(), "user1@example.org");

  hands->send(delivered(jobs[0]));
  settle();
  EXPECT_EQ(hands->of<spool_agent::Recorded>().at(0).jobs, std::vector{jobs[0].job});
  const auto recorded = qmgr->of<spool_qmgr::Recorded>();
  ASSERT_EQ(recorded.size(), 1U);
  EXPECT_EQ(recorded[0].messages.at(0).recipients.size(), 2U);
  EXPECT_EQ(counter("live"), 0U);
  EXPECT_EQ(counter("jobs_in_hand"), 0U);
}

TEST_F(spool_service, commits_what_arrives_together_in_one_group_with_one_answer) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto first = lease(*intake, 100);
  const auto groups = counter("groups");
  for (std::uint64_t i = 0; i < 100; ++i) {
    intake->send(spool_intake::Commit{{first.value + i}, envelope(1), "content", false});
  }
  settle();
  ASSERT_EQ(intake->of<spool_intake::Committed>().size(), 1U);
  EXPECT_EQ(intake->of<spool_intake::Committed>()[0].ids.size(), 100U);
  EXPECT_EQ(counter("groups"), groups + 1);
}

TEST_F(spool_service, closes_the_channel_of_an_intake_that_commits_what_it_did_not_lease) {
  const auto honest = connect<Intake>(Compartment::smtpd);
  const auto other = connect<Intake>(Compartment::smtpd);
  const auto id = lease(*honest, 1);
  other->send(spool_intake::Commit{id, envelope(1), "content", false});
  settle();
  EXPECT_TRUE(other->closed);
  EXPECT_FALSE(honest->closed);
  EXPECT_EQ(breaches_, std::vector{Compartment::smtpd});
  EXPECT_EQ(counter("live"), 0U);
}

TEST_F(spool_service, tells_the_truth_about_commits_after_a_restart) {
  auto intake = connect<Intake>(Compartment::smtpd);
  const auto first = lease(*intake, 2);
  intake->send(spool_intake::Commit{first, envelope(1), "content", false});
  settle();
  start();
  intake = connect<Intake>(Compartment::smtpd);
  intake->send(spool_intake::IsCommitted{first});
  intake->send(spool_intake::IsCommitted{{first.value + 1}});
  settle();
  const auto states = intake->of<spool_intake::CommitState>();
  ASSERT_EQ(states.size(), 2U);
  EXPECT_TRUE(states[0].committed);
  EXPECT_FALSE(states[1].committed);
}

TEST_F(spool_service, answers_a_pull_only_when_there_is_something) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  qmgr->send(spool_qmgr::Pull{0, 10});
  settle();
  EXPECT_TRUE(qmgr->of<spool_qmgr::Pulled>().empty());
  const auto id = commit(*intake, "content");
  ASSERT_EQ(qmgr->of<spool_qmgr::Pulled>().size(), 1U);
  EXPECT_EQ(qmgr->of<spool_qmgr::Pulled>()[0].messages.at(0).id, id);
}

TEST_F(spool_service, tells_nobody_what_is_open_before_agents_said_what_they_have) {
  {
    const auto intake = connect<Intake>(Compartment::smtpd);
    (void)commit(*intake, "content", 2);
  }
  start(2);
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  qmgr->send(spool_qmgr::Pull{0, 10});
  settle();
  EXPECT_TRUE(qmgr->of<spool_qmgr::Pulled>().empty()) << "a peer is still to come";
  const auto hands = connect<Agent>(Compartment::virtual_mailbox);
  settle();
  EXPECT_TRUE(qmgr->of<spool_qmgr::Pulled>().empty()) << "it has not spoken";
  const auto id = QueueId{1};
  hands->send(spool_agent::InHand{{{5, id, {1}}}});
  settle();
  ASSERT_EQ(qmgr->of<spool_qmgr::Pulled>().size(), 1U);
  const auto recipients = qmgr->of<spool_qmgr::Pulled>()[0].messages.at(0).recipients;
  EXPECT_FALSE(recipients.at(0).in_hand);
  EXPECT_TRUE(recipients.at(1).in_hand);
}

TEST_F(spool_service, acknowledges_again_what_an_earlier_spool_recorded) {
  auto intake = connect<Intake>(Compartment::smtpd);
  auto qmgr = connect<Qmgr>(Compartment::qmgr);
  auto hands = agent();
  const auto id = commit(*intake, "content");
  qmgr->send(order(id, {0}));
  settle();
  const auto job = hands->of<spool_agent::Job>().at(0);
  hands->send(delivered(job));
  settle();
  start();
  hands = connect<Agent>(Compartment::virtual_mailbox);
  hands->send(spool_agent::InHand{{{job.job, id, {0}}}});
  hands->send(delivered(job));
  settle();
  ASSERT_EQ(hands->of<spool_agent::Recorded>().size(), 1U);
  EXPECT_EQ(hands->of<spool_agent::Recorded>()[0].jobs, std::vector{job.job});
  EXPECT_EQ(counter("jobs_in_hand"), 0U);
}

TEST_F(spool_service, hands_no_recipient_twice_and_opens_what_a_lost_agent_had) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  auto hands = agent();
  const auto id = commit(*intake, "content", 2);
  qmgr->send(order(id, {0}));
  qmgr->send(order(id, {0, 1}));
  settle();
  auto jobs = hands->of<spool_agent::Job>();
  ASSERT_EQ(jobs.size(), 2U);
  EXPECT_EQ(jobs[1].recipients.size(), 1U);
  EXPECT_EQ(jobs[1].recipients[0].index, 1U);
  hands.reset();
  settle();
  EXPECT_EQ(qmgr->of<spool_qmgr::NotHanded>().size(), 2U);
  qmgr->send(order(id, {0, 1}));
  settle();
  hands = agent();  // the order waited for it
  ASSERT_EQ(hands->of<spool_agent::Job>().size(), 1U);
  EXPECT_EQ(hands->of<spool_agent::Job>()[0].recipients.size(), 2U);
}

TEST_F(spool_service, hands_each_order_to_an_agent_of_its_row_whoever_else_is_away) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  const auto client = agent(Compartment::smtp);
  const auto id = commit(*intake, "content", 3);
  qmgr->send(spool_qmgr::Orders{{{id, spool_qmgr::Agent::virtual_mailbox, {0}},
                                 {id, spool_qmgr::Agent::smtp, {1}, "smtp host a.example:25"},
                                 {id, spool_qmgr::Agent::smtp, {2}, "smtp host b.example:25"}}});
  settle();
  auto jobs = client->of<spool_agent::Job>();
  ASSERT_EQ(jobs.size(), 2U);
  EXPECT_EQ(jobs[0].site, "smtp host a.example:25");
  EXPECT_EQ(jobs[1].recipients.at(0).index, 2U);
  const auto hands = agent();
  ASSERT_EQ(hands->of<spool_agent::Job>().size(), 1U);
  EXPECT_EQ(hands->of<spool_agent::Job>()[0].recipients.at(0).index, 0U);
  EXPECT_EQ(client->of<spool_agent::Job>().size(), 2U);
}

TEST_F(spool_service, hands_on_whether_the_content_has_eight_bits) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  const auto client = agent(Compartment::smtp);
  const auto first = lease(*intake, 2);
  auto eight = envelope(1);
  eight.eight_bit = true;
  intake->send(spool_intake::Commit{first, envelope(1), "seven", false});
  intake->send(spool_intake::Commit{{first.value + 1}, std::move(eight), "eight", false});
  settle();
  qmgr->send(spool_qmgr::Orders{
      {{first, spool_qmgr::Agent::smtp, {0}, "a"}, {{first.value + 1}, spool_qmgr::Agent::smtp, {0}, "a"}}});
  settle();
  const auto jobs = client->of<spool_agent::Job>();
  ASSERT_EQ(jobs.size(), 2U);
  EXPECT_FALSE(jobs[0].eight_bit);
  EXPECT_TRUE(jobs[1].eight_bit);
}

TEST_F(spool_service, closes_the_channel_of_a_qmgr_that_names_a_site_without_end) {
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  qmgr->send(spool_qmgr::Orders{{{QueueId{1}, spool_qmgr::Agent::smtp, {0}, std::string(17UL * 1024, 'x')}}});
  settle();
  EXPECT_TRUE(qmgr->closed);
  EXPECT_EQ(breaches_, std::vector{Compartment::qmgr});
}

TEST_F(spool_service, closes_the_channel_of_an_agent_that_reports_on_what_it_was_not_handed) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto id = commit(*intake, "content");
  const auto hands = agent();
  hands->send(spool_agent::Outcome{12345, {{0, mail::Disposition::delivered, {}, {}}}});
  settle();
  EXPECT_TRUE(hands->closed);
  EXPECT_EQ(breaches_, std::vector{Compartment::virtual_mailbox});
  EXPECT_EQ(counter("live"), 1U) << to_string(id);
}

TEST_F(spool_service, records_what_qmgr_decides_without_an_agent) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  const auto id = commit(*intake, "content", 2);
  qmgr->send(spool_qmgr::Decided{id, {{1, mail::Disposition::failed, {550, {5, 1, 1}, "no such user"}, {}}}});
  settle();
  ASSERT_EQ(qmgr->of<spool_qmgr::Recorded>().size(), 1U);
  EXPECT_EQ(counter("live"), 1U);
  qmgr->send(spool_qmgr::Decided{id, {{7, mail::Disposition::failed, {}, {}}}});
  settle();
  EXPECT_FALSE(qmgr->closed) << "a recipient that is not open is left out";
}

TEST_F(spool_service, holds_releases_and_removes_for_the_administrator) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  const auto admin = connect<Admin>(Compartment::admin);
  const auto hands = agent();
  const auto id = commit(*intake, "content", 2);

  admin->send(spool_admin::Act{1, id, spool_admin::Action::hold});
  settle();
  admin->send(spool_admin::Show{2, id});
  qmgr->send(order(id, {0}));
  settle();
  ASSERT_TRUE(admin->of<spool_admin::Shown>().at(0).entry);
  EXPECT_EQ(admin->of<spool_admin::Shown>()[0].entry->state, spool_admin::State::held);
  EXPECT_EQ(qmgr->of<spool_qmgr::NotHanded>().size(), 1U) << "what is held is not handed out";

  admin->send(spool_admin::Act{3, id, spool_admin::Action::release});
  settle();
  qmgr->send(order(id, {0}));
  settle();
  ASSERT_EQ(hands->of<spool_agent::Job>().size(), 1U);
  admin->send(spool_admin::Act{4, id, spool_admin::Action::remove});
  settle();
  EXPECT_FALSE(admin->of<spool_admin::Acted>().back().refused.empty()) << "it is in hand";
  hands->send(delivered(hands->of<spool_agent::Job>()[0]));
  settle();
  admin->send(spool_admin::Count{9});
  admin->send(spool_admin::Act{5, id, spool_admin::Action::remove, 1234});
  settle();
  EXPECT_TRUE(admin->of<spool_admin::Acted>().back().refused.empty());
  EXPECT_EQ(admin->of<spool_admin::Counted>().at(0).messages, 1U);
  EXPECT_EQ(records_.all.back().facts, (std::vector<Fact>{{"uid", "1234"}})) << "who did it";
  EXPECT_EQ(counter("live"), 0U);
  EXPECT_EQ(qmgr->of<spool_qmgr::Recorded>().back().messages.at(0).recipients.at(0).disposition,
            mail::Disposition::deleted);
  EXPECT_EQ(qmgr->of<spool_qmgr::HoldChanged>().size(), 2U);
  for (const auto decision : {Decision::held, Decision::released, Decision::deleted}) {
    EXPECT_EQ(records_.count(decision), 1U);
  }
  admin->send(spool_admin::Act{6, id, spool_admin::Action::hold});
  settle();
  EXPECT_FALSE(admin->of<spool_admin::Acted>().back().refused.empty()) << "it is gone";
}

TEST_F(spool_service, sets_a_damaged_message_aside_once_however_often_it_is_ordered) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  const auto hands = agent();
  const auto id = commit(*intake, "what will be damaged", 2);
  damage("what will be damaged");
  qmgr->send(spool_qmgr::Orders{{{id, spool_qmgr::Agent::virtual_mailbox, {0}},
                                 {id, spool_qmgr::Agent::virtual_mailbox, {1}},
                                 {id, spool_qmgr::Agent::virtual_mailbox, {0, 1}}}});
  settle();
  EXPECT_TRUE(hands->of<spool_agent::Job>().empty());
  EXPECT_EQ(qmgr->of<spool_qmgr::NotHanded>().size(), 3U);
  EXPECT_EQ(qmgr->of<spool_qmgr::HoldChanged>().size(), 2U) << "at once, and when it is durable";
  EXPECT_EQ(records_.count(Decision::held), 1U);
}

TEST_F(spool_service, says_the_addresses_of_open_recipients_of_each_message_that_is_asked_for) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  const auto id = commit(*intake, "content", 3);
  qmgr->send(spool_qmgr::Decided{id, {{1, mail::Disposition::failed, {550, {5, 1, 1}, "no such user"}, {}}}});
  settle();
  const QueueId unknown{id.value + 1000};
  qmgr->send(spool_qmgr::GetAddresses{{id, unknown}});
  settle();
  const auto frames = qmgr->of<spool_qmgr::Addresses>();
  ASSERT_EQ(frames.size(), 1U);
  ASSERT_EQ(frames[0].messages.size(), 2U);
  const auto& known = frames[0].messages[0];
  EXPECT_EQ(known.id, id);
  ASSERT_EQ(known.recipients.size(), 2U);
  EXPECT_EQ(known.recipients[0].index, 0U);
  EXPECT_EQ(known.recipients[0].address.to_wire(), "user0@example.org");
  EXPECT_EQ(known.recipients[1].index, 2U);
  EXPECT_EQ(known.recipients[1].address.to_wire(), "user2@example.org");
  EXPECT_EQ(frames[0].messages[1].id, unknown);
  EXPECT_TRUE(frames[0].messages[1].recipients.empty());
}

TEST_F(spool_service, says_many_addresses_in_frames_of_bounded_size) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  const auto id = commit(*intake, "content", 1000);
  constexpr std::size_t kTimes = 100;
  qmgr->send(spool_qmgr::GetAddresses{std::vector<QueueId>(kTimes, id)});
  settle();
  std::size_t messages = 0;
  for (const auto& frame : qmgr->of<spool_qmgr::Addresses>()) {
    EXPECT_LT(encode(frame).size(), 128UL * 1024);
    messages += frame.messages.size();
    for (const auto& message : frame.messages) EXPECT_EQ(message.recipients.size(), 1000U);
  }
  EXPECT_EQ(messages, kTimes);
}

TEST_F(spool_service, says_no_more_addresses_than_qmgr_takes) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto id = commit(*intake, "content", 1000);
  constexpr std::size_t kTimes = 100;  // about 2.7 MB, in frames of 64 KiB or little more
  boost::asio::io_context elsewhere;
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
  service_->peer(Compartment::qmgr, 0, UniqueFd(ends[0]));
  std::size_t answers = 0;
  TrafficCounters traffic;
  using End = Channel<spool_qmgr::FromSpool, spool_qmgr::ToSpool>;
  End qmgr(elsewhere, UniqueFd(ends[1]), FrameLimits{.max_frame = spool_qmgr::kMaxFrame}, traffic,
           End::Handlers{[&](spool_qmgr::FromSpool&& frame) -> Result<void> {
                           const auto* some = std::get_if<spool_qmgr::Addresses>(&frame);
                           if (some != nullptr) answers += some->messages.size();
                           return {};
                         },
                         [](const Error&) {}});
  qmgr.send(spool_qmgr::GetAddresses{std::vector<QueueId>(kTimes, id)});
  elsewhere.poll();
  const auto before = traffic_.frames_out;
  loop_.restart();
  for (int events = 0; events < 150; ++events) loop_.run_one_for(Milliseconds(20));
  EXPECT_LT(traffic_.frames_out - before, 20U) << "nobody reads them";
  for (int turns = 0; turns < 10'000 && answers < kTimes; ++turns) {
    elsewhere.restart();
    elsewhere.poll();
    loop_.run_one_for(Milliseconds(20));
  }
  EXPECT_EQ(answers, kTimes);
}

TEST_F(spool_service, hands_out_what_waits_for_room_however_the_room_came) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  const auto first = commit(*intake, "first");
  const auto second = commit(*intake, "second");
  const auto busy = connect<Agent>(Compartment::virtual_mailbox);
  spool_agent::InHand in_hand;  // of messages that are gone
  for (std::uint64_t i = 0; i < spool_agent::kMaxJobs; ++i) in_hand.jobs.push_back({i, {1'000'000 + i}, {0}});
  busy->send(in_hand);
  qmgr->send(order(first, {0}));
  qmgr->send(order(second, {0}));
  settle();
  ASSERT_TRUE(busy->of<spool_agent::Job>().empty());
  busy->send(spool_agent::Outcome{0, {{0, mail::Disposition::delivered, {250, {2, 0, 0}, "ok"}, {}}}});
  settle();
  EXPECT_EQ(busy->of<spool_agent::Job>().size(), 1U);
  busy->send(spool_agent::Unreadable{1, "its checksum is another"});
  settle();
  EXPECT_EQ(busy->of<spool_agent::Job>().size(), 2U);
}

TEST_F(spool_service, sets_a_message_aside_whose_addresses_cannot_be_read) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  const auto id = commit(*intake, "content");
  damage("user0@example.org");
  qmgr->send(spool_qmgr::GetAddresses{{id, id}});
  settle();
  std::size_t answers = 0;
  for (const auto& frame : qmgr->of<spool_qmgr::Addresses>()) {
    for (const auto& message : frame.messages) {
      EXPECT_TRUE(message.recipients.empty());
      ++answers;
    }
  }
  EXPECT_EQ(answers, 2U);
  EXPECT_EQ(records_.count(Decision::held), 1U);
  const auto held = qmgr->of<spool_qmgr::HoldChanged>();
  ASSERT_FALSE(held.empty());
  EXPECT_TRUE(held[0].held);
  EXPECT_LT(std::ranges::find_if(
                qmgr->frames,
                [](const auto& frame) { return std::holds_alternative<spool_qmgr::HoldChanged>(frame); }),
            std::ranges::find_if(
                qmgr->frames,
                [](const auto& frame) { return std::holds_alternative<spool_qmgr::Addresses>(frame); }))
      << "so that they are not asked for again";
}

TEST_F(spool_service, closes_the_channel_of_a_qmgr_that_asks_for_too_many_addresses) {
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  qmgr->send(spool_qmgr::GetAddresses{std::vector<QueueId>(spool_qmgr::kMaxBatch, QueueId{1})});
  settle();
  EXPECT_FALSE(qmgr->closed);
  qmgr->send(spool_qmgr::GetAddresses{std::vector<QueueId>(spool_qmgr::kMaxBatch + 1, QueueId{1})});
  settle();
  EXPECT_TRUE(qmgr->closed);
  EXPECT_EQ(breaches_, std::vector{Compartment::qmgr});
}

TEST_F(spool_service, forgets_what_a_lost_qmgr_asked_for) {
  auto qmgr = connect<Qmgr>(Compartment::qmgr);
  qmgr->send(spool_qmgr::GetAddresses{std::vector<QueueId>(spool_qmgr::kMaxBatch, QueueId{1})});
  qmgr = connect<Qmgr>(Compartment::qmgr);
  settle();
  EXPECT_TRUE(qmgr->of<spool_qmgr::Addresses>().empty());
}

TEST_F(spool_service, lists_the_queue_in_pages) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto admin = connect<Admin>(Compartment::admin);
  const auto first = lease(*intake, 5);
  for (std::uint64_t i = 0; i < 5; ++i) {
    intake->send(spool_intake::Commit{{first.value + i}, envelope(1), "content", false});
  }
  settle();
  admin->send(spool_admin::List{1, 0, 3});
  settle();
  const auto page = admin->of<spool_admin::Listed>().at(0);
  EXPECT_EQ(page.entries.size(), 3U);
  admin->send(spool_admin::List{2, page.position, 3});
  settle();
  EXPECT_EQ(admin->of<spool_admin::Listed>().at(1).entries.size(), 2U);
  EXPECT_EQ(admin->of<spool_admin::Listed>().at(1).position, 0U);
}

TEST_F(spool_service, commits_what_it_has_before_it_exits) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  const auto hands = agent();
  const auto id = commit(*intake, "content");
  qmgr->send(order(id, {0}));
  settle();
  hands->send(delivered(hands->of<spool_agent::Job>().at(0)));
  loop_.restart();
  loop_.run_for(Milliseconds(2));  // it waits for company now
  service_->drain(false);
  EXPECT_TRUE(exited_);
  EXPECT_EQ(counter("live"), 0U);
}

TEST_F(spool_service, prepares_for_the_next_burst_when_nobody_waits_for_the_disk) {
  slice_.spare_segments = 4;
  start();
  EXPECT_EQ(counter("spares"), 2U);
  settle();
  EXPECT_EQ(counter("spares"), 4U);
}

TEST_F(spool_service, takes_new_limits_and_refuses_a_new_segment_size) {
  auto slice = slice_;
  slice.spare_segments = 3;
  EXPECT_TRUE(service_->new_slice(encode(slice), true));
  slice.segment_bytes *= 2;
  const auto refused = service_->new_slice(encode(slice), false);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text.find("spool.segment"), std::string::npos);
  EXPECT_FALSE(service_->new_slice("garbage", false));
}

TEST_F(spool_service, records_what_it_found_at_the_start) {
  ASSERT_EQ(records_.count(Decision::recovered), 1U);
  EXPECT_EQ(records_.all[0].outcome, "the queue is whole");
}

}  // namespace
}  // namespace sternpost::spool_service

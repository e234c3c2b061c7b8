// What becomes of qmgr's wish that a sender be told.
#include <sys/resource.h>

#include <csignal>

#include "service/spool/spool_service_test_rig.h"

namespace sternpost::spool_service {
namespace {

using spool_notice::Job;
using spool_notice::Nobody;
using spool_notice::Written;
using spool_qmgr::NotTold;
using spool_qmgr::Tell;
using spool_qmgr::Told;

constexpr std::string_view kSender = "sender@example.org";
constexpr WallTime kUntil{1'795'680'812'000'000};

class spool_notices : public SpoolServiceRig {
 protected:
  spool_notices() {
    slice_.notice_header_bytes = 20;
    restart();
  }

  void restart() {
    intake_.reset();
    qmgr_.reset();
    bounce_.reset();
    start();
    intake_ = connect<Intake>(Compartment::smtpd);
    qmgr_ = connect<Qmgr>(Compartment::qmgr);
    bounce_ = connect<Bounce>(Compartment::bounce);
    settle();
  }

  QueueId commit_from(std::optional<std::string_view> sender, std::uint32_t recipients) {
    const auto id = lease(*intake_, 1);
    auto from = envelope(recipients);
    if (sender) from.reverse_path = *mail::Mailbox::from_wire(*sender);
    from.origin.protocol = "ESMTP";
    intake_->send(spool_intake::Commit{id, std::move(from), "Subject: about it\r\n\r\nbody", false});
    settle();
    return id;
  }

  void fail_recipients(QueueId id, const std::vector<std::uint32_t>& recipients,
                       std::string text = "nobody") {
    spool_qmgr::Decided decided{id, {}};
    for (const auto i : recipients) {
      decided.recipients.push_back({i, mail::Disposition::failed, {550, {5, 1, 1}, text}, wall_now()});
      if (decided.recipients.size() < 500) continue;
      qmgr_->send(std::exchange(decided, {id, {}}));
    }
    if (!decided.recipients.empty()) qmgr_->send(decided);
    settle();
  }

  /// A message of which all recipients failed.
  QueueId failed_message(std::uint32_t recipients = 1, std::optional<std::string_view> sender = kSender) {
    const auto id = commit_from(sender, recipients);
    std::vector<std::uint32_t> all;
    for (std::uint32_t i = 0; i < recipients; ++i) all.push_back(i);
    fail_recipients(id, all);
    return id;
  }

  void tell(QueueId id, std::vector<std::uint32_t> recipients, bool delayed = false) {
    qmgr_->send(Tell{id, delayed, std::move(recipients), kUntil});
    settle();
  }

  /// The last job that bounce was given.
  [[nodiscard]] Job job() const {
    const auto jobs = bounce_->of<Job>();
    if (!jobs.empty()) return jobs.back();
    ADD_FAILURE() << "no job";
    return {};
  }

  void write(const Job& about, std::string_view recipient = kSender, std::string content = "a notice") {
    bounce_->send(Written{about.job, *mail::Mailbox::from_wire(recipient), std::move(content)});
    settle();
  }

  /// All that is in the queue, as a new qmgr is told.
  std::vector<spool_qmgr::PulledMessage> pull() {
    qmgr_->frames.clear();
    qmgr_->send(spool_qmgr::Pull{0, 100});
    settle();
    const auto pulled = qmgr_->of<spool_qmgr::Pulled>();
    return pulled.empty() ? std::vector<spool_qmgr::PulledMessage>{} : pulled.back().messages;
  }

  std::unique_ptr<Intake> intake_;
  std::unique_ptr<Qmgr> qmgr_;
  std::unique_ptr<Bounce> bounce_;
};

TEST_F(spool_notices, commits_the_notice_and_what_it_settles_as_one) {
  const auto id = commit_from(kSender, 3);
  fail_recipients(id, {0, 2});
  const auto before = pull();
  ASSERT_EQ(before.size(), 1U);
  EXPECT_EQ(before[0].owing, (std::vector<std::uint32_t>{0, 2}));
  tell(id, {2, 0, 0});
  const auto about = job();
  EXPECT_EQ(about.id, id);
  EXPECT_NE(about.notice, id);
  EXPECT_FALSE(about.delayed);
  EXPECT_EQ(mail::to_path(about.reverse_path), "<sender@example.org>");
  EXPECT_EQ(about.protocol, "ESMTP");
  EXPECT_EQ(about.content, "Subject: about it\r\n\r\nbody")
      << "the header is judged, however little is returned";
  ASSERT_EQ(about.recipients.size(), 2U);
  EXPECT_EQ(about.recipients[1].address.to_wire(), "user2@example.org");
  EXPECT_EQ(about.recipients[1].last.reply.text, "nobody");
  EXPECT_TRUE(qmgr_->of<Told>().empty()) << "nothing is durable yet";

  const auto groups = counter("groups");
  write(about);
  EXPECT_EQ(counter("groups"), groups + 1);
  const auto told = qmgr_->of<Told>();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].recipients, (std::vector<std::uint32_t>{0, 2}));
  EXPECT_FALSE(told[0].warned);
  ASSERT_EQ(records_.count(Decision::bounced), 1U);
  const auto& record = *std::ranges::find(records_.all, Decision::bounced, &Record::decision);
  EXPECT_EQ(record.id, id);
  EXPECT_EQ(record.recipient, kSender);
  EXPECT_EQ(record.facts.at(0), (Fact{"notice", to_string(about.notice)}));

  const auto after = pull();
  ASSERT_EQ(after.size(), 2U);
  EXPECT_TRUE(after[0].owing.empty());
  EXPECT_EQ(after[1].id, about.notice);
  EXPECT_FALSE(after[1].reverse_path);
  EXPECT_EQ(after[1].recipients.at(0).address.to_wire(), kSender);
  EXPECT_EQ(counter("notices_in_hand"), 0U);
}

TEST_F(spool_notices, a_message_that_owes_nothing_more_is_gone) {
  const auto id = failed_message();
  tell(id, {0});
  write(job());
  restart();
  const auto left = pull();
  ASSERT_EQ(left.size(), 1U);
  EXPECT_NE(left[0].id, id);
}

TEST_F(spool_notices, a_notice_about_a_notice_is_known_as_one_and_goes_to_whom_bounce_says) {
  const auto id = failed_message();
  tell(id, {0});
  const auto notice = job().notice;
  write(job());
  fail_recipients(notice, {0});
  tell(notice, {0});
  EXPECT_EQ(job().protocol, spool_notice::kProtocol);
  EXPECT_FALSE(job().reverse_path);
  const auto second = job().notice;
  write(job(), "postmaster");
  ASSERT_EQ(qmgr_->of<Told>().size(), 2U);
  fail_recipients(second, {0});
  tell(second, {0});
  EXPECT_EQ(job().protocol, spool_notice::kDoubleProtocol);
  bounce_->send(Nobody{job().job, "enough"});
  settle();
  EXPECT_EQ(qmgr_->of<Told>().size(), 3U);
  EXPECT_EQ(counter("live"), 0U);
}

TEST_F(spool_notices, closes_the_channel_of_a_bounce_that_writes_to_another_than_the_sender) {
  const auto id = failed_message();
  tell(id, {0});
  write(job(), "victim@example.com");
  EXPECT_TRUE(bounce_->closed);
  EXPECT_EQ(breaches_, std::vector{Compartment::bounce});
  EXPECT_EQ(qmgr_->of<NotTold>().size(), 1U);
  EXPECT_TRUE(qmgr_->of<Told>().empty());
  EXPECT_EQ(pull().size(), 1U) << "nothing was queued";
}

TEST_F(spool_notices, closes_the_channel_of_a_bounce_whose_notice_has_no_end) {
  const auto id = failed_message();
  tell(id, {0});
  write(job(), kSender, std::string(spool_notice::kMaxNotice + 1, 'x'));
  EXPECT_TRUE(bounce_->closed);
  EXPECT_EQ(breaches_, std::vector{Compartment::bounce});
  EXPECT_EQ(qmgr_->of<NotTold>().size(), 1U);
}

TEST_F(spool_notices, closes_the_channel_of_a_bounce_that_answers_what_nobody_asked) {
  bounce_->send(Nobody{4711, "no"});
  settle();
  EXPECT_TRUE(bounce_->closed);
  bounce_ = connect<Bounce>(Compartment::bounce);
  const auto id = failed_message();
  tell(id, {0});
  const auto about = job();
  bounce_->send(Written{about.job, *mail::Mailbox::from_wire(kSender), "a notice"});
  bounce_->send(Written{about.job, *mail::Mailbox::from_wire(kSender), "and again"});
  settle();
  EXPECT_TRUE(bounce_->closed) << "one answer for each job";
  EXPECT_EQ(qmgr_->of<Told>().size(), 1U) << "the first is on its way to the log and stays";
  EXPECT_EQ(pull().size(), 1U);
}

TEST_F(spool_notices, settles_without_a_word_where_nobody_is_to_be_told) {
  const auto id = failed_message(2);
  tell(id, {0, 1});
  bounce_->send(Nobody{job().job, std::string(5'000, 'w')});
  settle();
  const auto told = qmgr_->of<Told>();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].recipients, (std::vector<std::uint32_t>{0, 1}));
  EXPECT_EQ(counter("live"), 0U);
  const auto record = std::ranges::find(records_.all, Decision::bounced, &Record::decision);
  ASSERT_NE(record, records_.all.end());
  EXPECT_EQ(record->outcome.size(), 512U);
}

TEST_F(spool_notices, warns_of_a_delay_once) {
  const auto id = commit_from(kSender, 2);
  fail_recipients(id, {1});
  tell(id, {0, 1}, true);
  const auto about = job();
  EXPECT_TRUE(about.delayed);
  EXPECT_EQ(about.until, kUntil);
  ASSERT_EQ(about.recipients.size(), 1U) << "what failed is not late";
  EXPECT_EQ(about.recipients[0].address.to_wire(), "user0@example.org");
  write(about);
  ASSERT_EQ(qmgr_->of<Told>().size(), 1U);
  EXPECT_TRUE(qmgr_->of<Told>()[0].warned);
  EXPECT_TRUE(qmgr_->of<Told>()[0].recipients.empty());
  const auto pulled = pull();
  EXPECT_TRUE(pulled.at(0).warned);
  EXPECT_EQ(pulled.at(0).owing, std::vector<std::uint32_t>{1}) << "that is told by itself";
  tell(id, {0}, true);
  EXPECT_EQ(bounce_->of<Job>().size(), 1U);
  ASSERT_EQ(qmgr_->of<Told>().size(), 1U);
  EXPECT_TRUE(qmgr_->of<Told>()[0].warned);
  restart();
  EXPECT_TRUE(pull().at(0).warned) << "durably";
}

TEST_F(spool_notices, a_warning_that_nobody_wants_is_not_asked_for_again) {
  const auto id = commit_from(kSender, 1);
  tell(id, {0}, true);
  bounce_->send(Nobody{job().job, "a robot"});
  settle();
  ASSERT_EQ(qmgr_->of<Told>().size(), 1U);
  EXPECT_TRUE(qmgr_->of<Told>()[0].warned);
  EXPECT_EQ(counter("notices_in_hand"), 0U);
  EXPECT_EQ(counter("live"), 1U);
}

TEST_F(spool_notices, says_when_bounce_is_away) {
  const auto id = failed_message();
  bounce_.reset();
  settle();
  tell(id, {0});
  ASSERT_EQ(qmgr_->of<NotTold>().size(), 1U);
  EXPECT_EQ(qmgr_->of<NotTold>()[0].id, id);
}

TEST_F(spool_notices, a_bounce_that_is_lost_in_between_costs_no_notice_and_makes_no_second) {
  const auto id = failed_message();
  tell(id, {0});
  const auto lost = job();
  bounce_.reset();
  settle();
  EXPECT_EQ(qmgr_->of<NotTold>().size(), 1U);
  EXPECT_EQ(counter("notices_in_hand"), 0U);
  bounce_ = connect<Bounce>(Compartment::bounce);
  tell(id, {0});
  EXPECT_NE(job().job, lost.job);
  write(job());
  EXPECT_EQ(qmgr_->of<Told>().size(), 1U);
  EXPECT_EQ(pull().size(), 1U);
}

TEST_F(spool_notices, a_bounce_that_is_renewed_while_its_notice_is_committed_has_told) {
  const auto id = failed_message();
  tell(id, {0});
  bounce_->send(Written{job().job, *mail::Mailbox::from_wire(kSender), "a notice"});
  loop_.restart();
  while (counter("live") == 1 && qmgr_->of<Told>().empty() && loop_.run_one_for(Milliseconds(60)) > 0) {
  }
  bounce_ = connect<Bounce>(Compartment::bounce);
  settle();
  EXPECT_EQ(qmgr_->of<Told>().size(), 1U);
  EXPECT_TRUE(qmgr_->of<NotTold>().empty());
}

TEST_F(spool_notices, a_new_qmgr_waits_for_the_notice_that_is_being_written) {
  const auto id = failed_message();
  tell(id, {0});
  qmgr_ = connect<Qmgr>(Compartment::qmgr);
  EXPECT_EQ(pull().at(0).owing, std::vector<std::uint32_t>{0});
  tell(id, {0});
  EXPECT_EQ(bounce_->of<Job>().size(), 1U);
  EXPECT_EQ(qmgr_->of<NotTold>().size(), 1U);
  write(job());
  ASSERT_EQ(qmgr_->of<Told>().size(), 1U);
  EXPECT_EQ(qmgr_->of<Told>()[0].recipients, std::vector<std::uint32_t>{0});
}

TEST_F(spool_notices, tells_a_new_qmgr_that_it_was_seen_to) {
  const auto id = commit_from(kSender, 2);
  fail_recipients(id, {0});
  tell(id, {0});
  write(job());
  qmgr_ = connect<Qmgr>(Compartment::qmgr);
  tell(id, {0});
  ASSERT_EQ(qmgr_->of<Told>().size(), 1U);
  EXPECT_EQ(qmgr_->of<Told>()[0].recipients, std::vector<std::uint32_t>{0});
  EXPECT_EQ(bounce_->of<Job>().size(), 1U);
}

TEST_F(spool_notices, closes_the_channel_of_a_qmgr_that_tells_of_nobody_or_of_too_many) {
  tell(failed_message(), {});
  EXPECT_TRUE(qmgr_->closed);
  qmgr_ = connect<Qmgr>(Compartment::qmgr);
  tell(failed_message(), std::vector<std::uint32_t>(spool_qmgr::kMaxTold + 1, 0));
  EXPECT_TRUE(qmgr_->closed);
  EXPECT_EQ(breaches_, (std::vector{Compartment::qmgr, Compartment::qmgr}));
}

TEST_F(spool_notices, recipients_that_there_are_not_are_left_out) {
  const auto id = failed_message();
  tell(id, {0, 17, 1'000'000});
  EXPECT_EQ(job().recipients.size(), 1U);
}

TEST_F(spool_notices, every_wish_is_answered_also_of_a_message_that_is_gone) {
  const auto id = failed_message();
  const auto admin = connect<Admin>(Compartment::admin);
  admin->send(spool_admin::Act{1, id, spool_admin::Action::remove});
  settle();
  ASSERT_EQ(counter("live"), 0U);
  tell(id, {0});
  EXPECT_TRUE(bounce_->of<Job>().empty());
  ASSERT_EQ(qmgr_->of<Told>().size(), 1U) << "qmgr counts what is under way";
  EXPECT_EQ(qmgr_->of<Told>()[0].id, id);
}

TEST_F(spool_notices, a_notice_about_what_was_deleted_meanwhile_is_not_queued) {
  const auto id = failed_message();
  tell(id, {0});
  const auto admin = connect<Admin>(Compartment::admin);
  admin->send(spool_admin::Act{1, id, spool_admin::Action::remove});
  settle();
  EXPECT_TRUE(admin->of<spool_admin::Acted>().at(0).refused.empty());
  write(job());
  EXPECT_EQ(qmgr_->of<NotTold>().size() + qmgr_->of<Told>().size(), 1U);
  EXPECT_EQ(counter("live"), 0U);
  EXPECT_EQ(counter("notices_in_hand"), 0U);
  EXPECT_FALSE(bounce_->closed) << "it did as it was told";
}

TEST_F(spool_notices, a_notice_that_the_disk_fails_to_take_is_written_later) {
  const auto id = failed_message();
  tell(id, {0});
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit no_writing{0, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &no_writing), 0);
  write(job());
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(qmgr_->of<NotTold>().size(), 1U);
  EXPECT_TRUE(qmgr_->of<Told>().empty());
  EXPECT_EQ(pull().size(), 1U) << "the message still owes it, and no notice is there";
  tell(id, {0});
  write(job());
  EXPECT_EQ(qmgr_->of<Told>().size(), 1U);
}

TEST_F(spool_notices, a_large_notice_that_the_queue_has_no_room_for_is_written_later) {
  const auto id = failed_message();
  const std::string large(100'000, 'n');
  const auto fits = slice_;
  auto full = slice_;
  full.min_free_bytes = 1ULL << 62U;
  ASSERT_TRUE(service_->new_slice(encode(full), true));
  tell(id, {0});
  write(job(), kSender, large);
  EXPECT_EQ(qmgr_->of<NotTold>().size(), 1U);
  EXPECT_TRUE(qmgr_->of<Told>().empty());
  EXPECT_EQ(counter("notices_in_hand"), 0U);
  EXPECT_EQ(counter("buffered"), 0U);
  ASSERT_TRUE(service_->new_slice(encode(fits), true));
  tell(id, {0});
  write(job(), kSender, large);
  EXPECT_EQ(qmgr_->of<Told>().size(), 1U);
}

TEST_F(spool_notices, of_a_long_list_one_notice_tells_a_part) {
  constexpr std::uint32_t kMany = 900;
  const auto id = commit_from(kSender, kMany);
  std::vector<std::uint32_t> all;
  for (std::uint32_t i = 0; i < kMany; ++i) all.push_back(i);
  fail_recipients(id, all, std::string(512, 'x'));
  std::vector<std::uint32_t> told;
  while (told.size() < kMany) {
    std::vector<std::uint32_t> rest(all.begin() + static_cast<std::ptrdiff_t>(told.size()), all.end());
    qmgr_->frames.clear();
    tell(id, std::move(rest));
    EXPECT_LT(encode(job()).size(), spool_notice::kRecipientsBytes + 4'096);
    write(job());
    const auto answers = qmgr_->of<Told>();
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(answers[0].recipients.size(), job().recipients.size());
    told.insert(told.end(), answers[0].recipients.begin(), answers[0].recipients.end());
  }
  EXPECT_EQ(told, all);
  EXPECT_GT(bounce_->of<Job>().size(), 1U);
  EXPECT_EQ(counter("live"), bounce_->of<Job>().size()) << "the notices alone are left";
}

}  // namespace
}  // namespace sternpost::spool_service

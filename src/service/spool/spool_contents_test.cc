// Large messages: from pieces to a content file, and from there to an agent.
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "service/spool/spool_service_test_rig.h"

namespace sternpost::spool_service {
namespace {

using spool_intake::kPieceBytes;

class spool_contents : public SpoolServiceRig {
 protected:
  /// Sends pieces, and not the end; answers what was sent.
  static std::string send_pieces(Intake& intake, QueueId id, std::size_t count) {
    std::string whole;
    for (std::size_t i = 0; i < count; ++i) {
      const std::string piece(kPieceBytes, static_cast<char>('a' + i));
      intake.send(spool_intake::Piece{id, piece});
      whole += piece;
    }
    return whole;
  }
  struct Sent {
    QueueId id;
    std::string content;
  };
  Sent send(Intake& intake, std::size_t pieces = 5) {
    Sent sent{lease(intake, 1), {}};
    sent.content = send_pieces(intake, sent.id, pieces) + "end";
    intake.send(spool_intake::Commit{sent.id, envelope(1), "end", false});
    settle();
    return sent;
  }
  /// The same, and its recipient failed.
  Sent send_in_vain(Intake& intake, Qmgr& qmgr) {
    const auto hands = agent();
    auto sent = send(intake);
    qmgr.send(order(sent.id, {0}));
    settle();
    auto outcome = delivered(hands->of<spool_agent::Job>().front());
    outcome.recipients[0].disposition = mail::Disposition::failed;
    hands->send(outcome);
    settle();
    return sent;
  }
  [[nodiscard]] std::vector<std::string> content_files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      if (spool::parse_content_name(entry.path().filename().string())) names.push_back(entry.path());
    }
    return names;
  }
  /// Open files of the folder in this process; descriptors that share one count once.
  [[nodiscard]] std::size_t open_folders() const {
    std::vector<int> descriptors;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code error;
      if (std::filesystem::read_symlink(entry.path(), error) != folder_) continue;
      descriptors.push_back(std::stoi(entry.path().filename().string()));
    }
    std::size_t count = 0;
    while (!descriptors.empty()) {
      ++count;
      // A lock is of an open file: taken again by those that share it, refused to others.
      std::ignore = ::flock(descriptors.front(), LOCK_EX | LOCK_NB);
      const auto locked = descriptors.front();
      std::erase_if(descriptors, [](int one) { return ::flock(one, LOCK_EX | LOCK_NB) == 0; });
      std::ignore = ::flock(locked, LOCK_UN);
    }
    return count;
  }
  static std::string read(const spool_agent::Job& job) {
    std::string bytes(job.file->bytes + 1, '\0');
    const auto count = ::pread(job.descriptor->get(), bytes.data(), bytes.size(), 0);
    bytes.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return bytes;
  }
  static bool is_committed(const Intake& intake, QueueId id) {
    return std::ranges::any_of(intake.of<spool_intake::Committed>(), [&](const auto& frame) {
      return std::ranges::find(frame.ids, id) != frame.ids.end();
    });
  }
  /// The code with which it was refused; 0 where it was not.
  static int refusal(const Intake& intake, QueueId id) {
    for (const auto& frame : intake.of<spool_intake::NotCommitted>()) {
      if (frame.id == id) return frame.reply.code;
    }
    return 0;
  }
};

TEST_F(spool_contents, are_written_through_a_folder_that_is_open_on_its_own) {
  EXPECT_EQ(open_folders(), 3U) << "two were given to the service, and the thread for contents has its own";
}

TEST_F(spool_contents, go_to_the_agent_as_a_descriptor_for_reading_and_are_removed_when_they_are_delivered) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  const auto hands = agent();
  const auto sent = send(*intake);
  EXPECT_TRUE(is_committed(*intake, sent.id));
  EXPECT_EQ(content_files().size(), 1U);
  EXPECT_EQ(counter("content_bytes"), sent.content.size());
  qmgr->send(order(sent.id, {0}));
  settle();
  const auto jobs = hands->of<spool_agent::Job>();
  ASSERT_EQ(jobs.size(), 1U);
  ASSERT_TRUE(jobs[0].file && jobs[0].descriptor);
  EXPECT_EQ(read(jobs[0]), sent.content);
  EXPECT_EQ(jobs[0].file->checksum, checksum(sent.content, 0));
  EXPECT_TRUE(jobs[0].last_piece.empty());
  EXPECT_EQ(::fcntl(jobs[0].descriptor->get(), F_GETFL) & O_ACCMODE, O_RDONLY);
  hands->send(delivered(jobs[0]));
  settle();
  EXPECT_TRUE(content_files().empty());
  EXPECT_EQ(counter("content_bytes"), 0U);
}

TEST_F(spool_contents, say_how_much_is_out_of_memory_as_it_is_written) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto id = lease(*intake, 1);
  send_pieces(*intake, id, 3);
  settle();
  const auto taken = intake->of<spool_intake::Taken>();
  ASSERT_EQ(taken.size(), 3U);
  EXPECT_EQ(taken.back().bytes, 3 * kPieceBytes);
  EXPECT_EQ(counter("buffered"), 0U);
  EXPECT_EQ(content_files().size(), 1U);
  intake->send(spool_intake::Abandon{id});
  settle();
  EXPECT_TRUE(content_files().empty());
}

TEST_F(spool_contents, survive_a_restart_and_those_that_were_not_committed_do_not) {
  auto intake = connect<Intake>(Compartment::smtpd);
  const auto sent = send(*intake);
  send_pieces(*intake, lease(*intake, 1), 2);
  settle();
  EXPECT_EQ(content_files().size(), 2U);
  service_.reset();  // before the channel's end is noticed
  intake.reset();
  start();
  settle();
  EXPECT_EQ(content_files().size(), 1U);
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  const auto hands = agent();
  qmgr->send(order(sent.id, {0}));
  settle();
  ASSERT_EQ(hands->of<spool_agent::Job>().size(), 1U);
  EXPECT_EQ(read(hands->of<spool_agent::Job>()[0]), sent.content);
}

TEST_F(spool_contents, of_a_channel_that_closes_are_removed_but_not_those_that_are_being_committed) {
  auto intake = connect<Intake>(Compartment::smtpd);
  const auto first = lease(*intake, 2);
  send_pieces(*intake, first, 2);
  intake->send(spool_intake::Commit{first, envelope(1), "end", false});
  send_pieces(*intake, {first.value + 1}, 2);
  loop_.restart();
  while (counter("contents_in_hand") == 0) loop_.run_one();
  intake->channel->close();
  settle();
  EXPECT_EQ(counter("live"), 1U);
  EXPECT_EQ(content_files().size(), 1U);
  const auto again = connect<Intake>(Compartment::smtpd);
  again->send(spool_intake::IsCommitted{first});
  settle();
  EXPECT_TRUE(again->of<spool_intake::CommitState>().front().committed);
}

TEST_F(spool_contents, are_refused_where_the_queue_has_no_room_and_the_rest_is_dropped) {
  slice_.max_message_bytes = 64 << 20U;
  start();
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto id = lease(*intake, 1);
  std::size_t sent = 0;
  while (sent < slice_.max_spool_bytes) {
    send_pieces(*intake, id, 4);
    sent += 4 * kPieceBytes;
    settle();
    ASSERT_EQ(intake->of<spool_intake::Taken>().back().bytes, sent) << "the window goes on";
  }
  EXPECT_TRUE(content_files().empty()) << "given back as soon as it is refused";
  intake->send(spool_intake::Commit{id, envelope(1), "end", false});
  const auto small = commit(*intake, "small");
  EXPECT_EQ(refusal(*intake, id), 452);
  EXPECT_TRUE(is_committed(*intake, small));
}

TEST_F(spool_contents, are_refused_where_their_file_cannot_be_made) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto id = lease(*intake, 1);
  const auto in_the_way = folder_ + "/" + spool::content_name(id);
  std::filesystem::create_directory(in_the_way);
  send_pieces(*intake, id, 2);
  intake->send(spool_intake::Commit{id, envelope(1), "end", false});
  settle();
  EXPECT_NE(refusal(*intake, id), 0);
  EXPECT_EQ(counter("live"), 0U);
  std::filesystem::remove(in_the_way);
  EXPECT_TRUE(is_committed(*intake, send(*intake).id)) << "others are taken";
}

TEST_F(spool_contents, are_as_many_at_once_as_the_process_has_descriptors_for) {
  max_descriptors_ = 32;  // a quarter is for content, and half of that for one intake
  start();
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto first = lease(*intake, 5);
  for (std::uint64_t i = 0; i < 5; ++i) {
    send_pieces(*intake, {first.value + i}, 1);
    settle();
  }
  EXPECT_EQ(content_files().size(), 4U);
  intake->send(spool_intake::Commit{{first.value + 4}, envelope(1), "end", false});
  intake->send(spool_intake::Commit{first, envelope(1), "end", false});
  settle();
  EXPECT_EQ(refusal(*intake, {first.value + 4}), 452);
  EXPECT_TRUE(is_committed(*intake, first));
}

TEST_F(spool_contents, that_are_missing_hold_their_message_and_nothing_else) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  const auto hands = agent();
  const auto gone = send(*intake);
  std::filesystem::remove(content_files().front());
  const auto other = send(*intake);
  qmgr->send(order(gone.id, {0}));
  qmgr->send(order(other.id, {0}));
  settle();
  const auto jobs = hands->of<spool_agent::Job>();
  ASSERT_EQ(jobs.size(), 1U);
  EXPECT_EQ(jobs[0].id, other.id);
  EXPECT_EQ(qmgr->of<spool_qmgr::NotHanded>().front().id, gone.id);
  EXPECT_EQ(records_.count(Decision::held), 1U);
}

TEST_F(spool_contents, that_the_agent_finds_damaged_hold_their_message) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  const auto hands = agent();
  const auto sent = send(*intake);
  qmgr->send(order(sent.id, {0}));
  settle();
  hands->send(spool_agent::Unreadable{hands->of<spool_agent::Job>().front().job, "its checksum is another"});
  settle();
  EXPECT_EQ(counter("jobs_in_hand"), 0U);
  EXPECT_EQ(records_.count(Decision::held), 1U);
  EXPECT_TRUE(qmgr->of<spool_qmgr::HoldChanged>().front().held);
  EXPECT_EQ(qmgr->of<spool_qmgr::NotHanded>().front().recipients, std::vector<std::uint32_t>{0});
  EXPECT_EQ(content_files().size(), 1U) << "kept for people to look at";
  hands->send(spool_agent::Unreadable{12345, "no such job"});
  settle();
  EXPECT_EQ(breaches_, std::vector<Compartment>{Compartment::virtual_mailbox});
}

TEST_F(spool_contents, that_an_agent_fails_to_read_are_handed_out_again_some_times) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  const auto hands = agent();
  const auto sent = send(*intake);
  const auto fail_to_read = [&] {
    qmgr->frames.clear();
    hands->frames.clear();
    qmgr->send(order(sent.id, {0}));
    settle();
    ASSERT_EQ(hands->of<spool_agent::Job>().size(), 1U);
    hands->send(spool_agent::Unreadable{hands->of<spool_agent::Job>()[0].job, "Input/output error", false});
    settle();
    ASSERT_EQ(qmgr->of<spool_qmgr::NotHanded>().size(), 1U);
  };
  fail_to_read();
  EXPECT_EQ(records_.count(Decision::held), 0U);
  EXPECT_TRUE(qmgr->of<spool_qmgr::HoldChanged>().empty());
  unsigned tries = 1;
  for (; records_.count(Decision::held) == 0; ++tries) fail_to_read();
  EXPECT_GE(tries, ReadFailures::kTries);
  EXPECT_TRUE(qmgr->of<spool_qmgr::HoldChanged>().front().held);
}

TEST_F(spool_contents, that_there_is_no_descriptor_for_wait_for_one) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  const auto hands = agent();
  const auto sent = send(*intake);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{1, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  qmgr->send(order(sent.id, {0}));
  settle();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(qmgr->of<spool_qmgr::NotHanded>().size(), 1U);
  EXPECT_EQ(records_.count(Decision::held), 0U);
  EXPECT_FALSE(hands->closed);
  qmgr->send(order(sent.id, {0}));
  settle();
  ASSERT_EQ(hands->of<spool_agent::Job>().size(), 1U);
  EXPECT_TRUE(read(hands->of<spool_agent::Job>()[0]) == sent.content);
}

TEST_F(spool_contents, that_no_notice_can_be_made_of_hold_their_message) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  const auto bounce = connect<Bounce>(Compartment::bounce);
  const auto sent = send_in_vain(*intake, *qmgr);
  std::filesystem::resize_file(content_files().front(), sent.content.size() - 1);
  qmgr->send(spool_qmgr::Tell{sent.id, false, {0}, {}});
  settle();
  EXPECT_TRUE(bounce->of<spool_notice::Job>().empty());
  EXPECT_EQ(qmgr->of<spool_qmgr::NotTold>().size(), 1U);
  EXPECT_EQ(records_.count(Decision::held), 1U);
  ASSERT_FALSE(qmgr->of<spool_qmgr::HoldChanged>().empty());
  EXPECT_TRUE(qmgr->of<spool_qmgr::HoldChanged>().front().held);
}

TEST_F(spool_contents, are_written_before_a_stop_ends) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto id = lease(*intake, 1);
  send_pieces(*intake, id, 1);
  intake->send(spool_intake::Commit{id, envelope(1), "end", false});
  loop_.restart();
  while (counter("contents_in_hand") < 2) loop_.run_one();  // read at once
  service_->drain(false);
  EXPECT_FALSE(exited_);
  settle();
  EXPECT_TRUE(exited_);
  EXPECT_TRUE(is_committed(*intake, id));
}

TEST_F(spool_contents, of_an_intake_that_sends_pieces_of_nothing_are_not_begun) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto id = lease(*intake, 1);
  intake->send(spool_intake::Piece{id, ""});
  settle();
  EXPECT_EQ(breaches_, std::vector<Compartment>{Compartment::smtpd});
  EXPECT_TRUE(content_files().empty());
}

TEST_F(spool_contents, that_are_asked_about_while_they_are_committed_are_answered_once_when_they_are) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto id = lease(*intake, 1);
  send_pieces(*intake, id, 5);
  settle();
  intake->send(spool_intake::Commit{id, envelope(1), "end", false});  // read in one turn with the questions
  for (int i = 0; i < 100; ++i) intake->send(spool_intake::IsCommitted{id});
  settle();
  const auto answers = intake->of<spool_intake::CommitState>();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_TRUE(answers[0].committed);
}

TEST_F(spool_contents, of_a_notice_are_in_a_file_too) {
  const auto intake = connect<Intake>(Compartment::smtpd);
  const auto qmgr = connect<Qmgr>(Compartment::qmgr);
  const auto bounce = connect<Bounce>(Compartment::bounce);
  const auto sent = send_in_vain(*intake, *qmgr);
  qmgr->send(spool_qmgr::Tell{sent.id, false, {0}, {}});
  settle();
  const auto wanted = bounce->of<spool_notice::Job>();
  ASSERT_EQ(wanted.size(), 1U);
  EXPECT_EQ(wanted[0].content, sent.content.substr(0, wanted[0].content.size()));
  EXPECT_FALSE(wanted[0].content.empty());
  const std::string notice(100'000, 'n');
  bounce->send(
      spool_notice::Written{wanted[0].job, *mail::Mailbox::from_wire("postmaster@example.org"), notice});
  settle();
  EXPECT_EQ(counter("live"), 1U) << "the notice, and what it settles is finished";
  ASSERT_EQ(content_files().size(), 1U);
  EXPECT_EQ(std::filesystem::file_size(content_files().front()), notice.size());
}

}  // namespace
}  // namespace sternpost::spool_service

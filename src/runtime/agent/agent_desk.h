// An agent's side of its channel to spool: jobs from their arrival to the acknowledgement of their outcomes.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "runtime/agent/agent_protocol.h"

namespace sternpost {

/// A job with all of its content, which is in `content` or in `job.file`; `job.last_piece` is empty.
struct WaitingJob {
  spool_agent::Job job;
  std::string content;
};

/// A job waits, is worked on, and has an outcome that is kept until spool has it durably. Errors are breaches
/// of protocol by spool; its channel is then to be closed.
class AgentDesk {
 public:
  /// Content that waits in memory, of jobs and of what precedes them.
  static constexpr std::size_t kMaxBytes = spool_agent::kMaxBytesInHand;
  /// Jobs that are not acknowledged.
  static constexpr std::size_t kMaxJobs = spool_agent::kMaxJobs;
  /// Files of jobs that have no outcome.
  static constexpr std::size_t kMaxFiles = spool_agent::kMaxFilesInHand;
  /// Bytes of jobs in one frame of an announcement, but for one job more.
  static constexpr std::size_t kAnnounceBytes = 128UL * 1024;

  Result<void> take_piece(spool_agent::Piece&& piece);
  Result<void> take_job(spool_agent::Job&& job);

  /// The job that waits for longest; null where none does. Valid until the next call that is not const.
  [[nodiscard]] const WaitingJob* next() const { return waiting_.empty() ? nullptr : &waiting_.front(); }
  /// Takes that job to work on it. Its content counts until its outcome is there, by when its descriptor must
  /// be closed.
  WaitingJob begin();
  /// What became of a job that was begun.
  void finish(spool_agent::Outcome&& outcome);
  /// A job that was begun is over without an outcome, and forgotten: its content cannot be read.
  void forget(spool_agent::JobId job);
  /// These outcomes are durable, and forgotten here.
  Result<void> recorded(const std::vector<spool_agent::JobId>& jobs);

  /// A new spool hands jobs afresh: content without its job is dropped. Answers what is to be announced: at
  /// least one frame, the last one marked.
  std::vector<spool_agent::InHand> announce();
  /// The outcomes that no spool has acknowledged, to be sent behind the announcement.
  [[nodiscard]] std::vector<spool_agent::Outcome> unacknowledged() const;

  /// Nothing is in hand.
  [[nodiscard]] bool idle() const { return jobs_.empty(); }
  [[nodiscard]] std::size_t jobs() const { return jobs_.size(); }

 private:
  struct InHand {
    QueueId id;
    std::vector<std::uint32_t> recipients;
    std::size_t bytes = 0;
    bool file = false;
    std::optional<spool_agent::Outcome> outcome;
  };

  Result<void> count(std::size_t bytes);
  Result<void> check_file(const spool_agent::Job& job) const;
  void release_content(InHand& in_hand);

  std::unordered_map<spool_agent::JobId, std::string> pieces_;
  std::map<spool_agent::JobId, InHand> jobs_;
  std::deque<WaitingJob> waiting_;
  std::size_t bytes_ = 0;
  std::size_t files_ = 0;
};

}  // namespace sternpost

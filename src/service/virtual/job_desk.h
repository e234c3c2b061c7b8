// The jobs of the agent virtual from their arrival to the acknowledgement of their outcomes.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "base/rule.h"
#include "delivery/deliverer.h"
#include "delivery/mailbox_map.h"
#include "service/spool/agent_protocol.h"

namespace sternpost::virtual_mailbox {

/// What became of one recipient, for its record.
struct Delivered {
  mail::Mailbox address;
  mail::RecipientOutcome outcome;
  std::string folder;
  Rule rule;
  std::string file;
  bool found_earlier = false;
};

/// A job that was worked on; it is kept until its outcomes are recorded.
struct FinishedJob {
  spool_agent::JobId job = 0;
  QueueId id;
  WallTime arrival;
  mail::ReversePath reverse_path;
  std::vector<Delivered> recipients;
};

/// Delivers a batch; results in order. In the service this is delivery::Deliverer::deliver.
using Deliver = std::function<std::vector<delivery::DeliveryResult>(std::span<const delivery::Delivery>)>;

/// Errors here are breaches of protocol by spool; its channel is then to be closed.
class JobDesk {
 public:
  /// Content that waits in memory, of jobs and of what precedes them.
  static constexpr std::size_t kMaxBytes = 1UL << 30U;
  /// Jobs that are not acknowledged.
  static constexpr std::size_t kMaxJobs = spool_agent::kMaxJobs;

  JobDesk(delivery::MailboxMap map, std::size_t max_batch) : map_(std::move(map)), max_batch_(max_batch) {}

  Result<void> take_piece(spool_agent::Piece&& piece);
  Result<void> take_job(spool_agent::Job&& job);

  /// Bytes of jobs in one frame of an announcement, but for one job more.
  static constexpr std::size_t kAnnounceBytes = 128UL * 1024;

  /// A new spool hands jobs afresh: content without its job is dropped. Answers what is to be announced: at
  /// least one frame, the last one marked.
  std::vector<spool_agent::InHand> announce();
  /// The outcomes that no spool has acknowledged, to be sent behind the announcement.
  [[nodiscard]] std::vector<spool_agent::Outcome> unacknowledged() const;

  /// Works on the jobs that wait, up to max_batch files (a job is never split, and one is always taken), and
  /// answers their outcomes, to be sent now. Blocks.
  std::vector<spool_agent::Outcome> work(const Deliver& deliver, WallTime now);

  /// These are durable; answers them for their records.
  Result<std::vector<FinishedJob>> recorded(const std::vector<spool_agent::JobId>& jobs);

  [[nodiscard]] bool has_work() const { return !waiting_.empty(); }
  [[nodiscard]] bool idle() const { return in_hand_.empty(); }

 private:
  struct WaitingJob {
    spool_agent::Job job;
    std::string content;
  };

  void plan(const WaitingJob& waiting, FinishedJob& finished, std::vector<delivery::Delivery>& batch,
            WallTime now);

  delivery::MailboxMap map_;
  std::size_t max_batch_;
  std::unordered_map<spool_agent::JobId, std::string> pieces_;
  std::unordered_set<spool_agent::JobId> in_hand_;  ///< waiting or finished
  std::deque<WaitingJob> waiting_;
  std::map<spool_agent::JobId, FinishedJob> finished_;
  std::size_t bytes_ = 0;
};

spool_agent::Outcome to_outcome(const FinishedJob& job);

}  // namespace sternpost::virtual_mailbox

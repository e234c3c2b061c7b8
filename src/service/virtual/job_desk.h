// The jobs of the agent virtual: batches of files, and what is told of each.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/rule.h"
#include "delivery/deliverer.h"
#include "delivery/mailbox_map.h"
#include "mail/content_source.h"
#include "runtime/agent/agent_desk.h"

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

/// What a batch came to, to be sent now.
struct Worked {
  std::vector<spool_agent::Outcome> outcomes;
  std::vector<spool_agent::Unreadable> unreadable;
};

/// Delivers a batch; results in order. In the service this is delivery::Deliverer::deliver.
using Deliver = std::function<std::vector<delivery::DeliveryResult>(std::span<const delivery::Delivery>)>;

/// Errors here are breaches of protocol by spool; its channel is then to be closed.
class JobDesk {
 public:
  /// Octets of files that a batch reads and writes: more would keep spool, and a stop, waiting for too long.
  static constexpr std::uint64_t kMaxBatchBytes = 64UL << 20U;

  JobDesk(delivery::MailboxMap map, std::size_t max_batch) : map_(std::move(map)), max_batch_(max_batch) {}

  /// Jobs arrive here, and are announced from here to a new spool.
  [[nodiscard]] AgentDesk& desk() { return desk_; }

  /// Works on the jobs that wait, up to max_batch files and kMaxBatchBytes (a job is never split, and one is
  /// always taken). Content in a file is read once before anything is delivered of it. Blocks.
  Worked work(const Deliver& deliver, WallTime now);

  /// These are durable; answers them for their records.
  Result<std::vector<FinishedJob>> recorded(const std::vector<spool_agent::JobId>& jobs);

  [[nodiscard]] bool has_work() const { return desk_.next() != nullptr; }
  [[nodiscard]] bool idle() const { return desk_.idle(); }

 private:
  /// A job of a batch.
  struct Begun {
    std::unique_ptr<mail::ContentSource> content;
    FinishedJob finished;
  };

  Begun plan(WaitingJob&& waiting, std::vector<delivery::Delivery>& batch, WallTime now) const;

  delivery::MailboxMap map_;
  std::size_t max_batch_;
  AgentDesk desk_;
  std::unordered_map<spool_agent::JobId, FinishedJob> finished_;
};

spool_agent::Outcome to_outcome(const FinishedJob& job);

}  // namespace sternpost::virtual_mailbox

// Which recipients are in the hands of which agent: none is ever handed twice, and an agent may report on
// nothing else.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "runtime/agent/agent_protocol.h"
#include "service/spool/intake_desk.h"

namespace sternpost::spool_service {

/// What the content of a job takes of its agent: memory, or a descriptor.
struct ContentLoad {
  // NOLINTNEXTLINE(google-explicit-constructor): memory is the ordinary case
  ContentLoad(std::size_t in_memory = 0, std::size_t in_files = 0) : bytes(in_memory), files(in_files) {}
  std::size_t bytes;
  std::size_t files;
};

struct JobInHand {
  ChannelId channel = 0;
  QueueId id;
  std::vector<std::uint32_t> recipients;
  ContentLoad content;
  bool reported = false;  ///< its outcome is here, and not durable yet
};

class JobBook {
 public:
  /// `first` is random, so that jobs of an earlier spool that agents announce do not meet ours.
  explicit JobBook(spool_agent::JobId first) : next_(first) {}

  [[nodiscard]] bool in_hand(QueueId id, std::uint32_t recipient) const;
  [[nodiscard]] bool in_hand(QueueId id) const { return recipients_.contains(id); }
  [[nodiscard]] std::size_t jobs() const { return jobs_.size(); }

  /// Whether the agent may have a job of so many recipients and this content besides what it has. The last
  /// half of the bytes is left to small jobs, so that a few large messages at slow sites do not hold up all
  /// others; an agent with nothing in hand may have any.
  [[nodiscard]] bool has_room(ChannelId channel, std::size_t recipients, const ContentLoad& content) const;
  /// None of `recipients` may be in hand.
  spool_agent::JobId hand(ChannelId channel, QueueId id, std::vector<std::uint32_t> recipients,
                          const ContentLoad& content);
  /// What an agent works on since an earlier spool; `load_of` answers for the content of a message. Peer
  /// where somebody else does, a number is taken, or it is more than an agent may have in hand.
  Result<void> announce(ChannelId channel, const spool_agent::InHand& announced,
                        const std::function<ContentLoad(QueueId)>& load_of);
  /// Takes an outcome: peer where the job is not the channel's, was reported before, or the recipients are
  /// not exactly the job's. The recipients stay in hand until finish().
  Result<QueueId> report(ChannelId channel, const spool_agent::Outcome& outcome);
  /// The agent ends a job without an outcome: answers it, its recipients open again. Peer where the job is
  /// not the channel's, or was reported.
  Result<JobInHand> give_back(ChannelId channel, spool_agent::JobId job);
  /// The outcome of a job is durable.
  void finish(spool_agent::JobId job);
  /// The agent is gone: its jobs that were not reported, whose recipients are open again.
  std::vector<JobInHand> closed(ChannelId channel);

 private:
  struct Load {
    std::size_t jobs = 0;
    std::size_t recipients = 0;
    ContentLoad content;
  };

  void put(spool_agent::JobId job, JobInHand in_hand);
  void release(const JobInHand& job);

  spool_agent::JobId next_;
  std::unordered_map<spool_agent::JobId, JobInHand> jobs_;
  std::unordered_map<QueueId, std::unordered_set<std::uint32_t>> recipients_;
  std::map<ChannelId, Load> loads_;  ///< of channels that are open
};

}  // namespace sternpost::spool_service

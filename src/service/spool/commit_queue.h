// Operations that wait for the next commit, and whom to answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_set>
#include <variant>
#include <vector>

#include "base/result.h"
#include "runtime/agent/agent_protocol.h"
#include "service/spool/admin_protocol.h"
#include "service/spool/intake_desk.h"
#include "service/spool/notice_protocol.h"
#include "spool/engine.h"

namespace sternpost::spool_service {

struct ByIntake {
  ChannelId channel = 0;
};
struct ByAgent {
  ChannelId channel = 0;
  spool_agent::JobId job = 0;
};
struct ByQmgr {};
/// A notice, or that none is to be written.
struct ByBounce {
  spool_notice::JobId job = 0;
};
struct ByAdmin {
  ChannelId channel = 0;
  std::uint64_t request = 0;
  spool_admin::Action action = spool_admin::Action::hold;
  std::uint32_t uid = 0;  ///< of the administrator
};
/// A message that cannot be read is held, so that it is looked at and nothing is tried in vain.
struct BySpool {};
using Origin = std::variant<ByIntake, ByAgent, ByQmgr, ByBounce, ByAdmin, BySpool>;

struct Settled {
  spool::Op op;
  Origin origin;
  Result<void> result;
};

class CommitQueue {
 public:
  void add(spool::Op op, Origin origin);

  [[nodiscard]] bool empty() const { return ops_.empty(); }
  /// Somebody waits for more than an outcome's acknowledgement, or there is company enough.
  [[nodiscard]] bool urgent() const { return urgent_; }
  /// Outcomes, or holds of our own, are kept from the last run, because the disk failed or was full.
  [[nodiscard]] bool retrying() const { return kept_ > 0; }
  [[nodiscard]] bool adds(QueueId id) const { return added_.contains(id); }

  /// What qmgr decided is not wanted any more.
  void drop_decisions();
  /// The administrator released what we were about to hold.
  void drop_own_hold(QueueId id);

  /// Commits all. Outcomes, and holds of our own, that failed for now are not in the answer: they are kept
  /// for the next run, for nobody sends them twice.
  std::vector<Settled> run(spool::Engine& engine);

 private:
  void drop_if(const std::function<bool(const spool::Op&, const Origin&)>& unwanted);

  std::vector<spool::Op> ops_;
  std::vector<Origin> origins_;
  std::unordered_set<QueueId> added_;
  std::size_t kept_ = 0;  ///< how many of the first were kept
  bool urgent_ = false;
};

}  // namespace sternpost::spool_service

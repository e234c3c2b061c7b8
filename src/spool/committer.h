// Turns operations into groups: checks each against the state that the ones before it leave, writes and
// syncs, and only then lets the index see them.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "spool/id_set.h"
#include "spool/index.h"
#include "spool/ops.h"
#include "spool/reader.h"
#include "spool/segment_log.h"

namespace sternpost::spool {

struct CommitLimits {
  std::uint64_t max_group_bytes = 0;
  std::uint64_t max_message_bytes = 0;
};

class Committer {
 public:
  /// `may_take_messages` refuses new messages where it must; `make_room` is called before each group, while
  /// nothing is pending.
  Committer(SegmentLog& log, Index& index, IdSet& committed, const CommitLimits& limits,
            std::function<Result<void>()> may_take_messages, std::function<void()> make_room);

  void set_limits(const CommitLimits& limits) { limits_ = limits; }

  /// One result for each operation, in order. See Engine::commit.
  std::vector<Result<void>> commit(std::span<const Op> ops);

 private:
  struct Pending {
    std::size_t op = 0;
    QueueId id;
    MessageState state;
    RecordType type = RecordType::message;
  };

  Result<void> stage(const AddMessage& op);
  Result<void> stage(const ReplaceEnvelope& op);
  Result<void> stage(const RecordOutcomes& op);
  Result<void> stage(const Hold& op) { return stage_mark(op.id, MarkKind::hold); }
  Result<void> stage(const Release& op) { return stage_mark(op.id, MarkKind::release); }
  Result<void> stage_mark(QueueId id, MarkKind kind);

  /// State of a live message with what is pending; null for what is unknown or finished.
  [[nodiscard]] const MessageState* current(QueueId id) const;
  void pend(QueueId id, RecordType type, MessageState state);
  /// Where the next record would make the group too large, writes what is there.
  void flush_before(std::uint64_t record_bytes);
  void flush();
  void take(const Pending& pending, const BuiltRecord& built, const SegmentLog::GroupPlace& place);

  SegmentLog& log_;
  Index& index_;
  IdSet& committed_;
  Reader reader_;
  CommitLimits limits_;
  std::function<Result<void>()> may_take_messages_;
  std::function<void()> make_room_;

  GroupBuilder group_;
  std::vector<Pending> pending_;
  std::unordered_map<QueueId, std::size_t> latest_;  ///< the last pending change of an id
  /// Operations that do not apply after a pending one of the same id; where that one fails, they may apply
  /// later.
  std::vector<std::size_t> refused_on_pending_;
  std::vector<Result<void>>* results_ = nullptr;
  std::size_t op_ = 0;
};

}  // namespace sternpost::spool

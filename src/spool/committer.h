// Turns operations into groups: checks each against the state that the ones before it leave, writes and
// syncs, and only then lets the index see them.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "spool/arrivals.h"
#include "spool/housekeeper.h"
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
  /// All are borrowed. `housekeeper` is asked for room before each group, while nothing is pending.
  Committer(SegmentLog& log, Index& index, IdSet& committed, Housekeeper& housekeeper,
            const CommitLimits& limits);

  void set_limits(const CommitLimits& limits) { limits_ = limits; }

  /// One result for each operation, in order. See Engine::commit.
  std::vector<Result<void>> commit(std::span<const Op> ops);

  /// As Engine::was_committed.
  [[nodiscard]] bool was_committed(QueueId id) const;

  /// Content files of messages that were refused, as far as no later start can find such a message.
  [[nodiscard]] std::vector<QueueId> take_discarded();

  /// Outcomes that were not written for lack of space.
  [[nodiscard]] std::uint64_t deferrals_in_memory() const { return deferrals_in_memory_; }

 private:
  struct Pending {
    std::size_t op = 0;
    std::size_t record = 0;  ///< in the group
    QueueId id;
    MessageState state;
    RecordType type = RecordType::message;
    std::uint32_t envelope_bytes = 0;  ///< of a record that has an envelope
    std::uint64_t file_bytes = 0;      ///< of a new message's content file
    Place place = {};                  ///< as soon as the group has one
  };

  Result<void> stage(const AddMessage& op);
  [[nodiscard]] Result<void> check(const AddMessage& op) const;
  Result<void> stage(const ReplaceEnvelope& op);
  Result<void> stage(const RecordOutcomes& op);
  Result<void> stage(const Hold& op) { return stage_mark(op.id, MarkKind::hold); }
  Result<void> stage(const Release& op) { return stage_mark(op.id, MarkKind::release); }
  Result<void> stage_mark(QueueId id, MarkKind kind);
  /// Sets head_, but for what the message settles.
  void begin_head(const AddMessage& op);
  Result<void> add_message(const AddMessage& op);
  [[nodiscard]] Result<MessageState> state_after(const RecordOutcomes& op) const;
  [[nodiscard]] Result<MessageState> state_after(const Settlement& settlement) const;
  template <class Change>
  [[nodiscard]] Result<MessageState> changed(QueueId id, const Change& change) const;

  void note_refused(const Op& op);
  [[nodiscard]] bool depends_on_pending(const Op& op) const;
  /// State of a live message with what is pending; nothing for what is unknown or finished.
  [[nodiscard]] std::optional<MessageState> current(QueueId id) const;
  /// Where the last record of the group is, until that is written.
  [[nodiscard]] RecordPlace last_record() const;
  /// The last record of the group leaves the message in this state.
  void pend(QueueId id, RecordType type, MessageState state, std::size_t envelope_bytes = 0);
  /// Where the next record would make the group too large, writes what is there.
  void flush_before(std::uint64_t record_bytes);
  /// The same for a record that stays needed; temporary where there is no room for such.
  Result<void> admit(std::uint64_t record_bytes, std::uint64_t need);
  [[nodiscard]] bool may_add(std::uint64_t record_bytes, std::uint64_t need) const;
  /// For a record that frees nothing and should not have to wait: temporary where it would leave nothing that
  /// is worth recycling. What is pending may be written.
  Result<void> admit_state(QueueId id, const MessageState& after, std::uint64_t record_bytes);
  [[nodiscard]] bool may_keep(std::uint64_t record_bytes, std::uint64_t need) const;
  /// What a record that leaves this state adds to what recycling its segment takes.
  [[nodiscard]] std::uint64_t added_need(QueueId id, const MessageState& after,
                                         std::uint64_t record_bytes) const;
  [[nodiscard]] std::uint64_t state_bytes(QueueId id) const;
  /// Whether there is room for a deferral; the log may grow for it.
  bool may_defer(const RecordOutcomes& op, std::uint64_t record_bytes);
  Result<void> remember(const RecordOutcomes& op);
  void flush();
  void prepare(const SegmentLog::GroupPlace& group);
  /// What is pending is durable in this segment.
  void take(std::uint32_t slot);
  /// What is pending may not be durable, and does not count.
  void refuse(const Error& error);

  SegmentLog& log_;
  Index& index_;
  IdSet& committed_;
  Reader reader_;
  CommitLimits limits_;
  Housekeeper& housekeeper_;

  GroupBuilder group_;
  MessageHead head_;              ///< of the message that is being staged; keeps its memory
  std::size_t keep_spares_ = 1;   ///< while this group is written
  std::uint64_t group_need_ = 0;  ///< what moving it will take
  std::vector<Pending> pending_;
  Arrivals arrivals_;  ///< of these, the new messages
  boost::unordered_flat_map<QueueId, std::size_t, std::hash<QueueId>>
      latest_;  ///< the last pending change of an id
  /// Operations that do not apply after a pending one of the same id; where that one fails, they may apply
  /// later.
  std::vector<std::size_t> refused_on_pending_;
  std::vector<Result<void>>* results_ = nullptr;
  std::size_t op_ = 0;
  std::uint64_t deferrals_in_memory_ = 0;
  /// Their messages were refused, and may be in a group that failed.
  std::vector<QueueId> refused_files_;
};

}  // namespace sternpost::spool

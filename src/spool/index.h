// What is in the log, in memory: where each live message is and who is open; which finished ones a scan could
// still find, and what proves that they are finished; and, for each segment, what recycling it would take.
//
// Slots name segments here: a slot takes records again only after retire() removed what pointed to it.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/queue_id.h"
#include "spool/checkpoint.h"
#include "spool/message.h"
#include "spool/packed_message.h"

namespace sternpost::spool {

class Arrivals;

class Index {
 public:
  /// Nothing for what is finished or unknown. What is not used all at once is kept packed, so that this is a
  /// copy.
  [[nodiscard]] std::optional<Message> find(QueueId id) const;
  /// The same of what does not grow with its recipients.
  [[nodiscard]] std::optional<Outline> outline(QueueId id) const;
  [[nodiscard]] bool contains(QueueId id) const { return live_.contains(id); }
  /// Live, or finished and still found by a scan.
  [[nodiscard]] bool knows(QueueId id) const { return live_.contains(id) || finished_.contains(id); }

  /// A message record: of a new message, or a copy of a live one that supersedes the last. The id is not
  /// among the finished: put_copy_of_finished().
  void put_message(QueueId id, const Place& data, MessageState state, std::uint64_t file_bytes = 0);
  /// The same of messages that were made ready, all of them new; none is left there.
  void put_messages(Arrivals& arrivals);
  /// Another message record of a finished one.
  void put_copy_of_finished(QueueId id, std::uint32_t slot);
  /// The segment may hold a message record of this id that was never confirmed.
  void put_doubtful_copy(QueueId id, std::uint32_t slot);
  /// A record in `slot` left a live message in this state, which is not settled; `envelope` where
  /// it is an envelope record.
  void put_state(QueueId id, std::uint32_t slot, MessageState state, const Place* envelope = nullptr);
  /// The state changed and no record says so: a start finds the message as it was before.
  void remember(QueueId id, MessageState state);
  /// A record in `slot` proves alone that a message is finished, or proves it again. Unknown ids are ignored:
  /// no segment holds them any more.
  void finish(QueueId id, std::uint32_t slot);

  /// A finished message that a scan could still find.
  struct Finished {
    std::uint32_t certificate = 0;  ///< slot of the record that proves it
    std::uint32_t copy = 0;         ///< slot of a message record; others are in extra_copies_
  };
  [[nodiscard]] const Finished* find_finished(QueueId id) const;
  /// Slots of all message records of a known id, superseded ones included.
  [[nodiscard]] std::vector<std::uint32_t> copies(QueueId id) const;

  /// The segment is empty now, durably; nothing in it was needed. `ids` are those of its message records, or
  /// some of them: others follow before it is used again.
  void retire(std::uint32_t slot, std::span<const QueueId> ids);

  /// What must be written elsewhere before a segment can be reused.
  struct Need {
    std::uint64_t bytes = 0;  ///< of message and state records and dead list entries
    std::uint64_t items = 0;
  };
  [[nodiscard]] Need need(std::uint32_t slot) const;
  /// Whether recycling the segment writes the state again.
  static bool holds_state(const Message& message, std::uint32_t slot);
  /// The bytes of a record with all of a message's state but the content.
  static std::uint64_t state_bytes(const Message& message);
  /// The same with the content.
  static std::uint64_t record_bytes(const Message& message);

  /// Live messages by rising position, from the first behind `position`, with their positions.
  [[nodiscard]] std::vector<std::pair<std::uint64_t, QueueId>> after(std::uint64_t position,
                                                                     std::size_t max) const;
  /// Finished ones that a scan could still find are kept in so many buckets. While this is the same, one that
  /// is known stays in its own.
  [[nodiscard]] std::size_t finished_buckets() const { return finished_.bucket_count(); }
  /// Adds the ids of one bucket.
  void add_finished(std::size_t bucket, std::vector<QueueId>& ids) const;
  /// What is to be known of one after a start; nothing where nothing is.
  [[nodiscard]] std::optional<CheckpointEntry> entry(QueueId id) const;
  /// The inverse, of an id that is not known yet.
  void restore(QueueId id, const Message& message, std::vector<std::uint32_t> extra_copies);
  void restore(QueueId id, const Finished& finished, std::vector<std::uint32_t> extra_copies);
  /// It is what a start would find: no state is in memory alone, and no segment may hold message records that
  /// were never confirmed.
  [[nodiscard]] bool is_durable() const { return remembered_.empty() && doubtful_copies_.empty(); }

  /// Live messages whose content is in a file of its own.
  [[nodiscard]] std::vector<QueueId> with_files() const;
  /// The bytes of these files.
  [[nodiscard]] std::uint64_t file_bytes() const { return file_bytes_; }
  /// Messages with content files that are finished since this was asked last.
  [[nodiscard]] std::vector<QueueId> take_discarded() { return std::exchange(discarded_, {}); }

  [[nodiscard]] std::size_t live() const { return live_.size(); }
  [[nodiscard]] std::size_t finished() const { return finished_.size(); }
  [[nodiscard]] std::uint64_t last_position() const { return next_position_ - 1; }

 private:
  void account(const Message& message, bool add);
  void account(QueueId id, const Finished& finished, bool add);
  Need& need_in(std::uint32_t slot);
  void add_need(std::uint32_t slot, std::uint64_t bytes, bool add);
  void forget_copy(QueueId id, std::uint32_t slot);
  void compact_positions();

  std::unordered_map<QueueId, PackedMessage> live_;
  std::unordered_map<QueueId, Finished> finished_;
  /// Message records beside the one that Message or Finished names: while a segment is being recycled, and
  /// for as long as one stays that was emptied and not reset: after a crash, or because it was given up; and
  /// those that may be where writing failed.
  std::unordered_map<QueueId, std::vector<std::uint32_t>> extra_copies_;
  std::unordered_map<std::uint32_t, std::vector<QueueId>> doubtful_copies_;  ///< of these, by slot
  /// Their state is not all in records; more may be said of one, but only a record with all of it ends that.
  std::unordered_set<QueueId> remembered_;
  std::vector<Need> needs_;  ///< by slot
  /// By rising position; finished ones are removed when they are the majority.
  std::deque<std::pair<std::uint64_t, QueueId>> positions_;
  std::uint64_t next_position_ = 1;
  std::uint64_t file_bytes_ = 0;
  std::vector<QueueId> discarded_;
};

}  // namespace sternpost::spool

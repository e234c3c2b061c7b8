// Empties one closed segment at a time, in bounded steps, so that it can be reused: what a scan of the rest
// would miss without it is written again, to the deferred log, or to the incoming one where spares are
// scarce. So mail that stays is gathered in segments where little changes, and is seldom moved again. Only
// when the segment's new header is durable does it forget which copies were there.
#pragma once

#include <boost/align/aligned_allocator.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/result.h"
#include "spool/index.h"
#include "spool/reader.h"
#include "spool/segment_log.h"

namespace sternpost::spool {

class Recycler {
 public:
  /// `least_step`: what steps write at least, where there is so much; at most a quarter of a segment.
  Recycler(SegmentLog& log, Index& index, std::uint64_t least_step)
      : log_(log), index_(index), reader_(log), least_step_(least_step) {}

  [[nodiscard]] bool busy() const { return victim_.has_value(); }
  [[nodiscard]] std::optional<std::uint32_t> victim() const { return victim_; }
  /// Nothing in it is needed any more, and it was not reset yet.
  [[nodiscard]] bool resetting() const { return resetting_; }
  /// The closed segment, of those that this log opens, of which the least is needed.
  [[nodiscard]] std::optional<std::uint32_t> cheapest(Stream stream) const;
  /// The most bytes that emptying a segment writes, all padding included.
  [[nodiscard]] std::uint64_t cost(std::uint32_t slot) const { return cost(index_.need(slot)); }
  [[nodiscard]] std::uint64_t cost(const Index::Need& need) const;
  /// Where all of it `must_leave`, nothing of it is moved to the incoming log, for lack of room there.
  void start(std::uint32_t slot, bool must_leave = false);
  /// The same of a quarantined one, for `sternpost spool repair`: what recovery takes of it is moved, and
  /// then the file is emptied, for it may have more that is damaged. After any failure it is no longer the
  /// victim, and as good as before.
  Result<void> start_damaged(std::uint32_t slot);
  /// The deferred log could not be written since a segment was reset last.
  [[nodiscard]] bool deferred_failed() const { return deferred_failed_; }
  /// One bounded step: it writes about `bytes`, but for one record more, `least_step` at least and a quarter
  /// of a segment at most. True while there is more to do. After a temporary failure, call again later:
  /// another segment may be the better one then, where space was missing. Damage found on the way, or what
  /// cannot be read kReadTries times, quarantines the segment and ends its recycling with an error of class
  /// permanent.
  Result<bool> step(std::uint64_t bytes);

 private:
  Result<bool> move_some(std::uint64_t bytes);
  [[nodiscard]] bool is_damaged() const;
  std::unexpected<Error> not_reset(Error error);
  Result<void> read_group();
  Result<void> gather(std::uint64_t bytes);
  [[nodiscard]] bool at_end() const;
  [[nodiscard]] std::uint64_t most_read() const;
  Result<void> consider(const RecordView& record);
  Result<void> consider_message(const RecordView& record);
  Result<void> consider_settled(QueueId id);
  Result<void> consider_state(QueueId id);
  void consider_certificate(QueueId id);
  Result<std::string> read_state(Message& message, const RecordView* record = nullptr);
  Result<std::string> read_envelope(const Message& message, const RecordView* record);
  Result<void> read_texts(Message& message);
  void moved(QueueId id, RecordType type, std::uint32_t envelope_bytes, Message message);
  Result<void> write();
  [[nodiscard]] bool stays_on_own_disk() const;
  Stream destination();
  void doubt_copies();
  std::unexpected<Error> unreadable(std::uint32_t slot, std::uint64_t offset, Error error);
  std::unexpected<Error> failed(Error error);
  std::unexpected<Error> give_up(std::string why);
  void drop_step();
  bool forget_some();

  SegmentLog& log_;
  Index& index_;
  Reader reader_;
  std::uint64_t least_step_;

  std::optional<std::uint32_t> victim_;
  std::pair<std::uint32_t, std::uint64_t> unreadable_;  ///< slot and offset of what was not read last
  bool resetting_ = false;
  bool forgetting_ = false;  ///< it is empty, and copies_ says what is still remembered of it
  bool must_leave_ = false;
  bool deferred_failed_ = false;
  unsigned reset_failures_ = 0;          ///< while writing elsewhere succeeded
  std::uint64_t groups_at_failure_ = 0;  ///< written when it failed last
  unsigned read_failures_ = 0;           ///< of that, in a row
  std::vector<QueueId> copies_;          ///< ids of the victim's message records
  std::uint64_t next_group_ = 0;         ///< offset in the victim
  /// What was read of it. Where pages of a file are copied to just behind the start of a page, as malloc()
  /// has it for so much, some processors take eight times as long.
  std::vector<char, boost::alignment::aligned_allocator<char, kBlock>> group_bytes_;
  std::vector<RecordView> records_;  ///< of that group
  std::size_t next_record_ = 0;

  /// What the current step writes.
  GroupBuilder group_;
  struct Moved {
    QueueId id;
    RecordType type = RecordType::message;
    std::uint32_t envelope_bytes = 0;
    MessageState state;
    std::uint64_t file_bytes = 0;
  };
  std::vector<Moved> moved_;  ///< one for each of the first records in group_; dead lists follow
  std::unordered_set<QueueId> in_group_;
  std::map<std::uint32_t, std::vector<QueueId>> dead_;  ///< by slot of the copy
  std::size_t dead_entries_ = 0;
};

}  // namespace sternpost::spool

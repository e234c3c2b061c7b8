// The spool engine: what an MTA exists for. It appends messages and what becomes of them to a log of
// segments, groups what arrives together under one sync, and recycles segments. docs/internals/spool.md has
// the format and the argument why a crash at any point loses nothing that was acknowledged.
//
// Synchronous, single-threaded and deterministic: no clock, chance or I/O but through Disk, Clock and the
// salt.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "spool/checkpoint_writer.h"
#include "spool/committer.h"
#include "spool/disk.h"
#include "spool/housekeeper.h"
#include "spool/id_set.h"
#include "spool/index.h"
#include "spool/ops.h"
#include "spool/pace.h"
#include "spool/reader.h"
#include "spool/recovery.h"
#include "spool/segment_log.h"

namespace sternpost::spool {

struct EngineOptions {
  std::uint64_t segment_bytes = 16ULL << 20U;     ///< a multiple of kBlock, 64 KiB to 1 GiB
  std::uint32_t spare_segments = 4;               ///< kept ready; at least kLeastSpares
  std::uint64_t max_message_bytes = 4ULL << 20U;  ///< of content, wherever it is
  std::uint64_t max_spool_bytes = 1ULL << 40U;  ///< of all segments, at most kMaxSegments, and content files
  std::uint64_t min_free_bytes = 0;             ///< left to others on the disk
  std::uint64_t max_group_bytes = 4ULL << 20U;  ///< a larger batch is several groups
  /// Written to the log after which there is a checkpoint, or more where that is large; 0: none ever.
  std::uint64_t checkpoint_bytes = 64ULL << 20U;
  std::uint64_t salt = 0;  ///< random, new at every start
};

/// Each segment is an open file.
inline constexpr std::uint64_t kMaxSegments = 32'768;

/// What is wrong with the options, in words for the administrator; nothing where they fit together.
Result<void> check(const EngineOptions& options);

struct EngineStats {
  std::uint64_t needed_bytes = 0;  ///< of records that are needed still, and of segments that are given up
  std::uint64_t live = 0;          ///< messages
  std::uint64_t finished = 0;      ///< whose records are still in the log
  std::uint64_t segments = 0;      ///< with records
  std::uint64_t spares = 0;
  std::uint64_t quarantined = 0;          ///< segments
  std::uint64_t bytes = 0;                ///< of all segments on the disk
  std::uint64_t content_bytes = 0;        ///< of the content files of live messages
  std::uint64_t deferrals_in_memory = 0;  ///< that were not written, since the start
  std::uint64_t checkpoints = 0;          ///< written since the start
  SegmentLogCounters log;
};

class Engine {
 public:
  /// Recovers what is there. The disks and `clock` outlive the engine. Without a checkpoint all of the log is
  /// read, and so all damage found.
  static Result<std::unique_ptr<Engine>> open(const Disks& disks, Clock& clock, const EngineOptions& options,
                                              CheckpointUse use = CheckpointUse::where_it_fits);

  [[nodiscard]] const RecoveryReport& recovery() const { return report_; }

  /// Ids that were never given before and never will be again, `count` of them in a row; 1 to 65,536.
  Result<QueueId> lease(std::uint32_t count);

  /// Makes operations durable, in order, in one group where they fit. One result for each: an operation that
  /// does not apply is refused (permanent) without harm to the others; after a failure of the disk
  /// (temporary) nothing of its group is visible, nor ever will be unless the process ends before the next
  /// write succeeds. Where space is short, outcomes that deliver nothing are kept in memory alone: they
  /// free nothing, and all that a crash then costs is the count and time of an attempt, which is made again.
  std::vector<Result<void>> commit(std::span<const Op> ops);

  /// Does a bounded step of what should be done ahead of need: spares, recycling, checkpoints. True while
  /// there is more. What is pressing is done at the pace of commits (pace.h), while two spares are there.
  Result<bool> maintain(Upkeep upkeep = Upkeep::all);
  /// Sees to it that the next start has little to read. Nothing is lost where this fails or is left out.
  Result<void> write_checkpoint() { return checkpoints_.finish(); }

  /// Why new messages are refused just now; success when they are taken.
  [[nodiscard]] Result<void> may_take_messages() const;

  /// The same of one with a content file of so many bytes, beside others that are being written.
  [[nodiscard]] Result<void> may_take_content(std::uint64_t bytes, std::uint64_t being_written) const;
  /// Messages whose content files nobody needs any more, also those that a crash left behind: to be removed,
  /// at any time. What is not removed is among these again after the next start.
  [[nodiscard]] std::vector<QueueId> take_discarded();

  /// Nothing for what is finished or unknown. A copy, whose texts of outcomes may be on the disk alone.
  [[nodiscard]] std::optional<Message> find(QueueId id) const { return index_.find(id); }
  /// The same of what does not grow with its recipients.
  [[nodiscard]] std::optional<Outline> outline(QueueId id) const { return index_.outline(id); }
  [[nodiscard]] bool contains(QueueId id) const { return index_.contains(id); }
  /// Live messages behind a position, with theirs, in order. Positions rise with every message and hold until
  /// the process ends.
  [[nodiscard]] std::vector<std::pair<std::uint64_t, QueueId>> messages_after(std::uint64_t position,
                                                                              std::size_t max) const {
    return index_.after(position, max);
  }
  /// Permanent where the id is not live or the bytes are damaged, temporary where the disk fails.
  Result<mail::Envelope> read_envelope(QueueId id);
  Result<std::string> read_content(QueueId id);
  /// The same in pieces of at most kContentStep, or as large as what is in the log. What was given to `sink`
  /// before an error is of no use.
  Result<void> read_content(QueueId id, const ContentSink& sink);
  /// The first octets of it, at most so many. Of a content file these alone are read, so that damage that
  /// leaves its length as it was is not noticed.
  Result<std::string> read_beginning(QueueId id, std::size_t bytes);
  /// What is known of its content file; nothing where its content is in the log.
  Result<std::optional<ContentFile>> content_file(QueueId id);
  /// Completes what find() gave with the texts of outcomes; those that are damaged are dropped. Temporary
  /// where the disk fails.
  Result<void> read_texts(Message& message) { return reader_.texts(message.state); }
  /// True for every message that was ever acknowledged, as far as the log still tells: live ones, those
  /// finished since the start, and those finished earlier whose records are still there.
  [[nodiscard]] bool was_committed(QueueId id) const { return committer_.was_committed(id); }

  /// Segments that are kept as they are, as far as possible in the order in which they were written.
  [[nodiscard]] std::vector<std::uint32_t> quarantined() const;
  /// Moves what was found in a quarantined segment to others, and empties its file: whatever else was in it
  /// is gone. For `sternpost spool repair`, on a spool that was opened without a checkpoint; in the order of
  /// quarantined(). After a failure, or the end of the process, the spool is as good as before.
  Result<void> empty_quarantined(std::uint32_t slot);

  [[nodiscard]] EngineStats stats() const;
  /// New limits while running; the segment size stays.
  Result<void> reconfigure(const EngineOptions& options);

 private:
  Engine(const Disks& disks, Clock& clock, const EngineOptions& options);
  [[nodiscard]] SegmentLogOptions log_options() const;
  Result<bool> step(Upkeep upkeep, std::uint64_t bytes);
  [[nodiscard]] std::uint64_t bytes_written() const;

  Result<Reader::Content> find_content(QueueId id);

  EngineOptions options_;
  Disk& main_;  ///< with the content files
  SegmentLog log_;
  Index index_;
  IdSet committed_;
  Housekeeper housekeeper_;
  Committer committer_;
  Reader reader_;
  CheckpointWriter checkpoints_;
  Pace pace_;
  std::uint64_t paced_bytes_ = 0;  ///< of bytes_written(), that the pace knows of
  RecoveryReport report_;
  std::vector<QueueId> orphans_;
};

}  // namespace sternpost::spool

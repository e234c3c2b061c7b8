// The two logs as sequences of segments: appends groups, opens the next segment, prepares spares, resets what
// was recycled. It knows nothing of messages.
//
// Invariants that recovery relies on (docs/internals/spool.md):
//   - a group is written only when the one before it was synced, and behind its last byte;
//   - a segment is written to only until the next activation in its log is tried; after a failure groups go
//     on at its durable end, over what the failed one left there, for all that was acknowledged is before
//     that end;
//   - the header of each activated segment names the durable end of the one before in its log, and while that
//     one has no closing mark this header stays.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "spool/checkpoint.h"
#include "spool/disk.h"
#include "spool/group.h"
#include "spool/segment.h"

namespace sternpost::spool {

enum class SegmentState : unsigned char {
  absent,
  preparing,    ///< being filled with zeroes
  emptied,      ///< a spare, durably; takes nothing until nobody remembers what was in it
  spare,        ///< the same, remembered by nobody
  active,       ///< takes the next group
  closed,       ///< holds records
  doubtful,     ///< nothing in it is needed, but writing its header failed: reset it before anything else
  quarantined,  ///< damaged: kept as it is for people to look at
};

struct Segment {
  SegmentState state = SegmentState::absent;
  SegmentHeader header;
  std::uint64_t end = kBlock;  ///< durable; the next group starts here
  std::uint64_t next_sequence = 0;
  bool sealed = false;  ///< a closing mark stands at `end`, durably
  std::size_t volume = 0;
  bool named = false;  ///< the file's name is durable
  std::unique_ptr<DiskFile> file;
};

/// Spares that are kept at least: one for what comes, and one for recycling.
inline constexpr std::uint32_t kLeastSpares = 2;

struct SegmentLogOptions {
  std::uint64_t segment_bytes = 0;
  std::uint64_t max_bytes = 0;       ///< of all segments
  std::uint64_t main_bytes = 0;      ///< of these, that a second volume leaves to the main one
  std::uint64_t min_free_bytes = 0;  ///< left to others on the disk
  std::uint64_t salt = 0;
};

struct SegmentLogCounters {
  std::uint64_t groups = 0;
  std::uint64_t deferred_groups = 0;  ///< of these, in the deferred log
  std::uint64_t syncs = 0;
  std::uint64_t bytes_written = 0;
  std::uint64_t failures = 0;
  std::uint64_t segments_reset = 0;
};

class SegmentLog {
 public:
  SegmentLog(const Disks& disks, Clock& clock, const SegmentLogOptions& options);

  /// Where a group went.
  struct GroupPlace {
    std::uint32_t slot = 0;
    std::uint64_t offset = 0;
  };
  /// Writes and syncs a group, in the next segment where it does not fit into this one and more than
  /// `keep_spares` are there (temporary, ENOSPC, where they are not). When writing fails the segment is
  /// closed at its last durable end, and whether the group is on the disk is not known until the next write
  /// to the same log succeeds; after that it is not in it.
  Result<GroupPlace> append(Stream stream, GroupBuilder& group, std::size_t keep_spares);
  /// The same in two parts, for whoever has something to do while the disk writes: the group has its place,
  /// and is durable when end_append() succeeds. Until then the log is left alone.
  Result<GroupPlace> begin_append(Stream stream, GroupBuilder& group, std::size_t keep_spares);
  Result<void> end_append();

  /// Opens the next segment of a log; the one before is closed. Temporary where there is no spare.
  Result<void> activate(Stream stream);
  /// Goes on in the segment that was written last, behind its durable end, where nothing came after it. False
  /// where that cannot be.
  bool reopen(Stream stream);
  /// The segment is going to be recycled: no log goes on in it.
  void withdraw(std::uint32_t slot);

  /// Bytes that groups may still take in the active segment; 0 without one.
  [[nodiscard]] std::uint64_t room(Stream stream) const;
  [[nodiscard]] std::uint64_t segment_bytes() const { return options_.segment_bytes; }
  /// The extent of the largest group that fits in a segment.
  [[nodiscard]] std::uint64_t capacity() const { return options_.segment_bytes - kBlock; }
  /// For the segments that this log opens.
  [[nodiscard]] std::size_t spares(Stream stream) const { return volumes_[volume_of(stream)].spares; }
  /// Of each disk there is a volume: 0 the main one, 1 that of the deferred log where it has its own.
  [[nodiscard]] std::size_t volumes() const { return volumes_.size(); }
  [[nodiscard]] std::size_t volume_of(Stream stream) const {
    return stream == Stream::deferred ? volumes_.size() - 1 : 0;
  }
  /// The logs that have spares of their own: one, or both.
  [[nodiscard]] std::span<const Stream> with_own_spares() const {
    return std::span(kStreams).first(volumes_.size());
  }
  [[nodiscard]] bool has_active(Stream stream) const { return active(stream).has_value(); }
  [[nodiscard]] std::optional<std::uint32_t> active(Stream stream) const { return tail(stream).active; }
  /// The end of the segment closed last.
  [[nodiscard]] const SegmentEnd& last(Stream stream) const { return tail(stream).last; }
  /// Writing failed, and nothing was written to this log since: a group of which nothing is known may stand
  /// behind its end.
  [[nodiscard]] bool is_unsettled(Stream stream) const { return tail(stream).unsettled; }
  /// Failures of writing or syncing the logs since the last success.
  [[nodiscard]] unsigned failures_in_row() const { return failures_in_row_; }

  /// Whether the disk has no more segments, with so many `more`, than the limits allow there. Limits may have
  /// been higher.
  [[nodiscard]] bool fits_its_share(Stream stream, std::uint64_t more = 0) const;
  /// Whether the limits allow one more segment for this log.
  [[nodiscard]] bool may_grow(Stream stream);
  [[nodiscard]] bool preparing(Stream stream) const {
    return volumes_[volume_of(stream)].preparing.has_value();
  }
  /// A step of at most so many `bytes`, but for a block, towards one more spare. True while there is more to
  /// do. After a failure the file is empty again.
  Result<bool> prepare_step(Stream stream, std::uint64_t bytes);
  /// Gives the space of one spare back.
  void release_spare(Stream stream);

  /// Writes the header of a spare over a segment in which nothing is needed any more. Until this has
  /// succeeded the segment is doubtful, and nothing may be dropped that its records made necessary. It is a
  /// spare after make_spare().
  Result<void> reset(std::uint32_t slot);
  /// The same of a quarantined segment; its file is emptied. Where the segment that it names cannot be closed
  /// it stays quarantined, as it was; where its header cannot be written it is doubtful, as others are.
  Result<void> discard(std::uint32_t slot);
  /// Of a segment that was emptied nothing is remembered.
  void make_spare(std::uint32_t slot);
  /// Whether a spare can still be written: its header is, as it was. Tells one bad place from a bad disk
  /// where nothing else may be written.
  [[nodiscard]] bool can_write_a_spare();
  /// Quarantines a segment that cannot be emptied or reset. Its end is marked while it is known, for nobody
  /// may name it much longer.
  void give_up(std::uint32_t slot);
  /// Segments whose activation or reset failed.
  [[nodiscard]] std::vector<std::uint32_t> doubtful() const;

  /// Fills `out` from a segment.
  Result<void> read(std::uint32_t slot, std::uint64_t offset, std::span<char> out) const;
  /// Exactly `length` bytes of it.
  Result<std::string> read(std::uint32_t slot, std::uint64_t offset, std::uint64_t length) const;
  [[nodiscard]] const std::vector<Segment>& segments() const { return segments_; }
  void quarantine(std::uint32_t slot) { segments_[slot].state = SegmentState::quarantined; }

  /// Takes `count` ids that no one else was or will be given. May have to write to the disk first; never to
  /// the last spare.
  Result<QueueId> lease(std::uint32_t count);
  [[nodiscard]] bool was_leased(QueueId id) const { return id.value != 0 && id.value < next_id_; }

  [[nodiscard]] const SegmentLogCounters& counters() const { return counters_; }
  [[nodiscard]] std::uint64_t total_bytes() const;

  /// What has been written, when it is of use to say so: nothing where a disk failed and it is not settled
  /// what stands behind the end of a log, or where a segment is damaged.
  [[nodiscard]] std::optional<Coverage> coverage() const;
  [[nodiscard]] std::uint64_t last_log_sequence() const { return next_log_sequence_ - 1; }
  [[nodiscard]] std::uint64_t id_mark() const { return durable_mark_; }
  [[nodiscard]] std::uint64_t spool() const { return spool_; }
  [[nodiscard]] std::uint64_t min_free_bytes() const { return options_.min_free_bytes; }

  /// New limits; the size of a segment stays.
  void set_limits(const SegmentLogOptions& options) {
    options_.max_bytes = options.max_bytes;
    options_.main_bytes = options.main_bytes;
    options_.min_free_bytes = options.min_free_bytes;
  }

  /// So many of the limit's bytes are used by others.
  void set_other_bytes(std::uint64_t bytes) { other_bytes_ = bytes; }

  /// For recovery, before anything else, by rising generation in each log: a segment as it was found.
  /// `reopenable`: it is the newest of its log, whole, and has no closing mark.
  void adopt(std::uint32_t slot, Segment segment, bool reopenable = false);
  /// For recovery: a file without a header, to be prepared when it is needed.
  void adopt_blank(std::uint32_t slot, std::size_t volume);
  struct Start {
    std::uint64_t id_mark = 1;
    std::uint64_t log_sequence = 1;
    std::uint64_t spool = 0;
  };
  /// For recovery, at last: ids and groups go on from here.
  void start_at(const Start& start);
  /// For recovery: a segment that was given up may have one of the next generations.
  void skip_generations(std::uint64_t count) { next_generation_ += count; }
  /// For recovery: smaller ones were given.
  void continue_generations(std::uint64_t from) { next_generation_ = std::max(next_generation_, from); }

 private:
  /// Where a log goes on.
  struct Tail {
    std::optional<std::uint32_t> active;
    SegmentEnd last;          ///< of the segment closed last
    bool reopenable = false;  ///< no activation was tried since
    bool unsettled = false;
  };
  [[nodiscard]] const Tail& tail(Stream stream) const { return tails_.at(static_cast<std::size_t>(stream)); }
  Tail& tail(Stream stream) { return tails_.at(static_cast<std::size_t>(stream)); }
  /// A group that was written and not synced.
  struct Begun {
    Stream stream = Stream::incoming;
    std::uint64_t extent = 0;
    std::uint64_t id_mark = 0;
  };
  void note_failed_append(Stream stream);
  Result<void> write_header(Segment& segment, const SegmentHeader& header);
  Result<void> seal(Segment& segment);
  Result<void> seal_named_by(const Segment& segment);
  Result<void> make_empty(Segment& segment);
  /// A disk and what is ready there.
  struct Volume {
    explicit Volume(Disk* on) : disk(on) {}

    Disk* disk;
    std::size_t spares = 0;
    std::optional<std::uint32_t> preparing;
    std::uint64_t prepared_bytes = 0;
  };
  Result<void> begin_preparing(std::size_t volume);
  Result<void> finish_preparing(Volume& volume);
  void mention(const Segment& fresh);
  void make_blank(Segment& segment);
  /// So many segments, from slot 0 on, have durable names.
  [[nodiscard]] std::uint32_t named_segments() const;
  void close(Stream stream);
  [[nodiscard]] std::uint64_t raised_mark() const;
  Segment& segment_at(std::uint32_t slot);
  /// One of them; segments_.end() where there is none.
  std::vector<Segment>::iterator spare_on(std::size_t volume);

  std::vector<Volume> volumes_;
  Clock& clock_;
  SegmentLogOptions options_;
  std::vector<Segment> segments_;            ///< by slot
  std::array<Tail, kStreams.size()> tails_;  ///< by stream
  Begun begun_;
  std::uint64_t spool_ = 0;
  std::uint64_t next_generation_ = 1;
  std::uint64_t next_log_sequence_ = 1;
  std::uint64_t next_id_ = 1;
  std::uint64_t durable_mark_ = 1;
  std::uint64_t other_bytes_ = 0;
  unsigned failures_in_row_ = 0;
  SegmentLogCounters counters_;
};

}  // namespace sternpost::spool

#include "spool/recovery.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <ranges>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/checksum.h"
#include "spool/checkpoint_base.h"
#include "spool/content_file.h"
#include "spool/reader.h"
#include "spool/replay.h"
#include "spool/segment_file.h"
#include "spool/synced_ends.h"

namespace sternpost::spool {
namespace {

/// Ids and generations skipped where a damaged segment may have held the highest.
constexpr std::uint64_t kSkippedAfterDamage = 1ULL << 32U;

class Recovery {
 public:
  Recovery(const Disks& disks, const SegmentLogOptions& options, SegmentLog& log, Index& index,
           IdSet& committed)
      : options_(options), log_(log), index_(index), committed_(committed) {
    disks_.push_back(disks.main);
    if (disks.deferred != nullptr) disks_.push_back(disks.deferred);
  }

  Result<std::optional<RecoveryReport>> run(CheckpointUse use) {
    for (std::size_t volume = 0; volume < disks_.size(); ++volume) {
      if (auto read = read_headers(volume); !read) return fail_with(std::move(read));
    }
    if (auto complete = is_complete(); !complete) return fail_with(std::move(complete));
    for (auto& log : logs_) {
      std::ranges::sort(log.found, {}, [](const Found& found) { return found.segment.header.generation; });
    }
    if (auto taken = take_checkpoint(use); !taken) return fail_with(std::move(taken));
    if (does_not_fit_) return std::nullopt;
    if (auto read = read_logs(); !read) return fail_with(std::move(read));
    if (base_ && !is_proven()) return std::nullopt;
    quarantine_misfits();
    log_.start_at({.id_mark = report_.quarantined.empty() ? id_mark_ : id_mark_ + kSkippedAfterDamage,
                   .log_sequence = last_log_sequence_ + 1,
                   .spool = spool_.value_or(gave_up_ ? kAnySpool : options_.salt)});
    if (gave_up_ || skips_generations_) log_.skip_generations(kSkippedAfterDamage);
    // So it is known without checkpoints, which may be removed. Without a spare the first commit does it.
    for (const auto stream : ends_to_name_) std::ignore = log_.activate(stream);
    report_.live = index_.live();
    report_.finished = index_.finished();
    if (auto checked = check_content_files(); !checked) return fail_with(std::move(checked));
    return std::optional(std::move(report_));
  }

 private:
  struct Found {
    Segment segment;
    std::uint64_t file_bytes = 0;
  };
  /// A segment while its groups are applied.
  struct Reading {
    Found* found = nullptr;
    bool newest = false;
    bool damaged = false;
    bool skipped = false;  ///< the checkpoint has all of it
    std::string bytes;
    SegmentScan scan;  ///< views into `bytes`
    std::size_t next_group = 0;

    [[nodiscard]] std::uint64_t log_sequence() const { return scan.groups[next_group].log_sequence; }
  };
  struct Log {
    std::vector<Found> found;  ///< by generation
    std::size_t next = 0;      ///< to be opened
    std::optional<Reading> reading;
  };

  Result<void> read_headers(std::size_t volume) {
    auto names = disks_[volume]->list();
    if (!names) return fail_with(std::move(names));
    // Names of files that a killed process made may not be durable yet.
    if (auto synced = disks_[volume]->sync_directory(); !synced) return synced;
    for (const auto& name : *names) {
      const auto slot = parse_segment_name(name);
      if (const auto id = parse_content_name(name); id && volume == 0) content_files_.insert(*id);
      if (!slot) continue;
      if (!slots_.insert(*slot).second) return fail(ErrorClass::internal, name + " is in both folders");
      if (auto read = read_header(*slot, volume); !read) return fail_with(std::move(read), name);
    }
    return {};
  }

  /// All files are there that once were: where a disk is not mounted, its mail would seem to be gone.
  Result<void> is_complete() const {
    for (std::uint32_t slot = 0; slot < segments_; ++slot) {
      if (slots_.contains(slot)) continue;
      return fail(ErrorClass::internal, segment_name(slot) +
                                            " is missing; put it back, or mount the disk that it is on "
                                            "(spool.deferred_directory)");
    }
    return {};
  }

  Result<void> read_header(std::uint32_t slot, std::size_t volume) {
    auto one = look_at_segment(*disks_[volume], slot);
    if (!one) return fail_with(std::move(one));
    if (one->is_of_other_version) return fail(ErrorClass::internal, std::move(one->why_not));
    Found found;
    found.segment.volume = volume;
    found.segment.file = std::move(one->file);
    found.file_bytes = one->file_bytes;
    if (!found.segment.file) return give_up(std::move(found), slot, std::move(one->why_not));
    // What a killed process, or a copy of the folder from elsewhere, left in memory only is durable from here
    // on.
    if (auto synced = found.segment.file->sync(); !synced) return synced;
    if (one->header) return take_header(std::move(found), *one->header);
    if (!one->why_not.empty()) return give_up(std::move(found), slot, std::move(one->why_not));
    auto blank = is_blank(*found.segment.file, found.file_bytes);
    if (!blank) return fail_with(std::move(blank));
    if (!*blank) return give_up(std::move(found), slot, "the segment's header is damaged");
    log_.adopt_blank(slot, volume);
    return {};
  }

  /// The file is kept, and nothing in it is used. It may be the newest log, may name the end of the one
  /// before, and may be read again by a later start.
  Result<void> give_up(Found found, std::uint32_t slot, std::string why) {
    report_.quarantined.push_back({segment_name(slot), 0, found.file_bytes, {}, std::move(why)});
    found.segment.state = SegmentState::quarantined;
    found.segment.header.slot = slot;
    found.segment.header.segment_bytes = found.file_bytes;
    log_.adopt(slot, std::move(found.segment));
    gave_up_ = true;
    return {};
  }

  /// Begins with what a checkpoint knows, where there is one that fits to this log.
  Result<void> take_checkpoint(CheckpointUse use) {
    auto found = CheckpointBase::open_all(*disks_[0]);
    if (!found) return fail_with(std::move(found));
    synced_ends_ = SyncedEnds(*found, spool_);
    for (const auto& one : *found) note_generations(one);
    const bool may = use == CheckpointUse::where_it_fits && !gave_up_ && spool_;
    const bool begins_with_first = may && fits_first(*found);
    for (auto& one : *found | std::views::drop(begins_with_first ? 1 : 0)) {
      if (auto spent = one.spend(); !spent) return spent;
    }
    if (begins_with_first) begin_with(std::move(found->front()));
    return {};
  }

  /// Whether the newest one is of this log; the report says why not.
  bool fits_first(const std::vector<CheckpointBase>& found) {
    const auto unread = std::ranges::find_if(found, &CheckpointBase::is_unread);
    if (unread != found.end()) report_.no_checkpoint = unread->fault();
    if (found.empty() || found.front().seal().spent) return false;
    report_.no_checkpoint = misfit_of(found.front());
    return report_.no_checkpoint.empty();
  }

  void begin_with(CheckpointBase base) {
    base_ = std::move(base);
    const auto restored = base_->restore(with_records_, index_, committed_);
    if (!restored || !*restored) {
      does_not_fit_ = true;
      return;
    }
    id_mark_ = std::max(id_mark_, base_->head().id_mark);
    last_log_sequence_ = base_->seal().last_log_sequence;
    report_.from_checkpoint = true;
    report_.checkpoint_serial = base_->seal().serial;
    report_.checkpoint_file = base_->file();
    report_.bytes_read += base_->bytes_read();
  }

  /// Why a checkpoint is not one of this log; empty where it is. What was written to the log after it may
  /// have changed all but this: no segment is older than it was then, and none ends before its end of then.
  std::string misfit_of(const CheckpointBase& base) {
    if (!base.fault().empty()) return base.fault();
    if (base.head().spool != *spool_) return "it belongs to another spool";
    for (const auto& covered : base.head().segments) {
      const auto at = with_records_.find(covered.slot);
      if (at == with_records_.end()) continue;
      const auto& header = at->second;
      const auto name = segment_name(covered.slot);
      if (header.generation < covered.generation) return name + " is older than it";
      if (header.generation > covered.generation) continue;
      if (named_ends_.find(header).value_or(covered.end) < covered.end) return name + " ended before it";
      const bool checks = base.head().coverage.is_newest(header);
      if (checks && last_block(covered) != covered.last_block) return name + " is not as it was written then";
    }
    return {};
  }

  /// None that a checkpoint knows is given again: what it proves stays true of those segments alone. One that
  /// cannot be read, or the head of which cannot, may be read by a later start.
  void note_generations(const CheckpointBase& base) {
    const bool may_be_ours = !base.fault().empty() || base.head().spool == spool_;
    if (may_be_ours) log_.continue_generations(base.seal().coverage.next_generation);
    skips_generations_ = skips_generations_ || base.is_unread();
  }

  std::uint64_t last_block(const CoveredSegment& covered) {
    for (auto& log : logs_) {
      for (auto& found : log.found) {
        if (found.segment.header.slot != covered.slot || covered.end < kBlock) continue;
        std::string block(kBlock, '\0');
        const auto read = found.segment.file->read(covered.end - kBlock, block);
        return read ? checksum(block, covered.generation) : 0;
      }
    }
    return 0;
  }

  /// What the checkpoint says and later records superseded is superseded indeed.
  bool is_proven() {
    Reader reader(log_);
    return std::ranges::all_of(base_->unproven(), [&](QueueId id) {
      const auto message = index_.find(id);
      return !message || (reader.is_of(id, message->data) && reader.is_of(id, message->envelope));
    });
  }

  Result<void> take_header(Found found, const SegmentHeader& header) {
    if (header.spool != kAnySpool) {
      if (header.spool != spool_.value_or(header.spool)) {
        return fail(ErrorClass::internal, "it belongs to another spool");
      }
      spool_ = header.spool;
    }
    segments_ = std::max(segments_, header.segments);
    id_mark_ = std::max(id_mark_, header.id_mark);
    found.segment.header = header;
    if (header.role != SegmentRole::spare) {
      found.segment.state = SegmentState::closed;
      named_ends_.add(header.previous);
      with_records_.emplace(header.slot, header);
      logs_.at(static_cast<std::size_t>(stream_of(header.role))).found.push_back(std::move(found));
      return {};
    }
    return take_spare(std::move(found));
  }

  Result<void> take_spare(Found found) {
    const auto& header = found.segment.header;
    if (found.file_bytes < header.segment_bytes || header.segment_bytes != options_.segment_bytes) {
      // A reset that is in memory only, and not made durable before the file is emptied, could be undone.
      if (auto kept = write_header(found.segment); !kept) return kept;
      log_.adopt_blank(header.slot, found.segment.volume);
      return found.segment.file->clear();
    }
    // Its reset may have failed in the last process and be in memory only; records elsewhere rely on it now.
    if (auto kept = write_header(found.segment); !kept) return kept;
    found.segment.state = SegmentState::spare;
    ++report_.spares;
    log_.adopt(header.slot, std::move(found.segment));
    return {};
  }

  /// Of this version from here on: an older one must not read what comes.
  static Result<void> write_header(Segment& segment) {
    auto written = segment.file->write(0, encode_segment_header(segment.header));
    if (written) written = segment.file->sync();
    return written;
  }

  /// Both logs, group by group in the order in which they were written.
  Result<void> read_logs() {
    for (;;) {
      Log* next = nullptr;
      for (auto& log : logs_) {
        if (auto opened = open_next(log); !opened) return opened;
        const bool earlier =
            next == nullptr || (log.reading && log.reading->log_sequence() < next->reading->log_sequence());
        if (log.reading && earlier) next = &log;
      }
      if (next == nullptr) return {};
      apply_group(*next->reading);
    }
  }

  /// Sees to it that a group of this log is there to be applied, if there is one more.
  Result<void> open_next(Log& log) {
    while (!log.reading || log.reading->next_group == log.reading->scan.groups.size()) {
      if (log.reading) {
        if (auto closed = close(*log.reading); !closed) return closed;
        log.reading.reset();
      }
      if (log.next == log.found.size()) return {};
      auto& found = log.found[log.next++];
      auto opened = open(found, log.next == log.found.size());
      if (!opened) return fail_with(std::move(opened), segment_name(found.segment.header.slot));
      log.reading = std::move(*opened);
    }
    return {};
  }

  Result<Reading> open(Found& found, bool newest) {
    auto& segment = found.segment;
    const auto& header = segment.header;
    const auto* covered = base_ ? base_->find(header) : nullptr;
    if (covered != nullptr && !base_->head().coverage.is_newest(header)) return skip(found, newest, *covered);
    auto start = covered == nullptr ? ScanStart{} : ScanStart{covered->end, covered->next_sequence};
    start.synced_end = synced_ends_.find(header);
    auto scanned = scan_file(*segment.file, found.file_bytes, header, named_ends_, newest, start);
    if (!scanned) return fail_with(std::move(scanned));
    report_.bytes_read += scanned->bytes_read;
    Reading reading{&found, newest, false, false, std::move(scanned->bytes), std::move(scanned->scan), 0};
    const auto& scan = reading.scan;
    // A later start may read what this one cannot: then no end that was named may be before it.
    segment.end = scanned->end_is_known ? std::max(scan.end, kBlock) : header.segment_bytes;
    segment.next_sequence = scan.next_sequence;
    return reading;
  }

  /// Nothing was written to it since.
  static Result<Reading> skip(Found& found, bool newest, const CoveredSegment& covered) {
    Reading reading{&found, newest, false, true, {}, {}, 0};
    reading.scan.end = covered.end;
    reading.scan.next_sequence = covered.next_sequence;
    found.segment.end = covered.end;
    found.segment.next_sequence = covered.next_sequence;
    return reading;
  }

  Result<void> close(Reading& reading) {
    auto& segment = reading.found->segment;
    const auto slot = segment.header.slot;
    const auto& scan = reading.scan;
    for (const auto& damage : scan.damage) {
      report_.quarantined.push_back(
          {segment_name(slot), damage.offset, damage.length, damage.id, damage.why});
    }
    const bool whole = scan.damage.empty() && !reading.damaged;
    if (!whole) segment.state = SegmentState::quarantined;
    if (!whole && reading.newest && synced_ends_.find(segment.header) > 0) {
      ends_to_name_.push_back(stream_of(segment.header.role));
    }
    if (scan.torn_tail) ++report_.torn_tails;
    ++report_.segments;
    if (auto kept = keep_last(reading, whole); !kept) return fail_with(std::move(kept), segment_name(slot));
    const bool open_end = !scan.sealed && !reading.skipped;
    log_.adopt(slot, std::move(segment), reading.newest && whole && open_end && !gave_up_);
    return {};
  }

  /// Only the newest header and the last group of a log can be in memory and not on the disk; where there is
  /// damage, also the last group of other segments: a closing mark, or what failed, may be known no longer to
  /// a header that named the end before it.
  Result<void> keep_last(const Reading& reading, bool whole) {
    auto& segment = reading.found->segment;
    const auto& scan = reading.scan;
    if (reading.newest) {
      if (auto kept = write_header(segment); !kept) return kept;
    }
    const bool is_durable = reading.skipped || (!reading.newest && whole && !gave_up_);
    if (is_durable) return {};
    if (scan.sealed && scan.end < segment.header.segment_bytes) {
      if (auto kept = rewrite(*segment.file, scan.end, kBlock); !kept) return kept;
    }
    if (scan.groups.empty()) return {};
    return rewrite(*segment.file, scan.groups.back().offset, scan.groups.back().extent);
  }

  void apply_group(Reading& reading) {
    const auto& group = reading.scan.groups[reading.next_group++];
    ++report_.groups;
    id_mark_ = std::max(id_mark_, group.id_mark);
    last_log_sequence_ = std::max(last_log_sequence_, group.log_sequence);
    const auto reported = report_.quarantined.size();
    for (const auto& record : group.records) {
      ++report_.records;
      apply(record, reading.found->segment.header);
    }
    reading.damaged = reading.damaged || report_.quarantined.size() > reported;
  }

  /// What the checkpoint has is not done twice. What is finished stays so.
  [[nodiscard]] bool is_known(QueueId id, const RecordView& record, const SegmentHeader& segment) const {
    return base_ && base_->covers(id, segment, record.offset);
  }

  void apply(const RecordView& record, const SegmentHeader& segment) {
    const auto slot = segment.slot;
    const auto type = record.header.type;
    const bool full = type == RecordType::message || type == RecordType::envelope;
    if (!is_known(record.header.id, record, segment)) {
      note(replay(record, slot, index_, committed_), record.header.id, full, record, slot);
    }
    const auto settles = type == RecordType::message ? settles_of(record.head) : std::nullopt;
    if (!settles || is_known(settles->settlement.id, record, segment)) return;
    note(replay(*settles, slot, index_), settles->settlement.id, false, record, slot);
  }

  /// What came of replaying `record` for one message; `full` where it holds all of that one's state.
  void note(ReplayFault fault, QueueId id, bool full, const RecordView& record, std::uint32_t slot) {
    if (fault == ReplayFault::none) {
      if (full) misfits_.erase(id);
      return;
    }
    Quarantined one{segment_name(slot), record.offset, record.bytes(), id, std::string(to_string(fault))};
    if (fault == ReplayFault::misfit) {
      misfits_.insert_or_assign(id, std::pair(slot, std::move(one)));
    } else {
      report_.quarantined.push_back(std::move(one));
    }
  }

  /// Each message has its content file, and each file a message.
  Result<void> check_content_files() {
    std::vector<Quarantined> missing;
    for (const auto id : index_.with_files()) {
      content_files_.erase(id);
      const auto bytes = index_.outline(id)->file_bytes;
      auto fault = keep_content(*disks_[0], id, bytes);
      if (!fault) return fail_with(std::move(fault), content_name(id));
      if (!fault->empty()) missing.push_back({content_name(id), 0, bytes, id, std::move(*fault)});
    }
    if (report_.quarantined.empty()) report_.orphans.assign(content_files_.begin(), content_files_.end());
    for (auto& one : missing) report_.quarantined.push_back(std::move(one));
    std::ignore = index_.take_discarded();  // by records of an earlier life: what is left of them are orphans
    return {};
  }

  /// What nothing superseded.
  void quarantine_misfits() {
    for (auto& [id, misfit] : misfits_) {
      if (!index_.contains(id)) continue;
      log_.quarantine(misfit.first);
      report_.quarantined.push_back(std::move(misfit.second));
    }
  }

  std::vector<Disk*> disks_;  ///< by volume
  std::optional<CheckpointBase> base_;
  bool does_not_fit_ = false;
  SyncedEnds synced_ends_;
  std::vector<Stream> ends_to_name_;
  std::unordered_map<std::uint32_t, SegmentHeader> with_records_;  ///< by slot
  SegmentLogOptions options_;
  SegmentLog& log_;
  Index& index_;
  IdSet& committed_;
  RecoveryReport report_;
  std::set<std::uint32_t> slots_;          ///< found
  std::set<QueueId> content_files_;        ///< found
  std::uint32_t segments_ = 0;             ///< that there once were
  std::optional<std::uint64_t> spool_;     ///< which one this is
  std::array<Log, kStreams.size()> logs_;  ///< by stream
  NamedEnds named_ends_;
  std::map<QueueId, std::pair<std::uint32_t, Quarantined>> misfits_;  ///< with their slots
  std::uint64_t id_mark_ = 1;
  std::uint64_t last_log_sequence_ = 0;
  bool gave_up_ = false;            ///< a segment of which not even the header is known
  bool skips_generations_ = false;  ///< a checkpoint that cannot be read may know more of them
};

}  // namespace

Result<std::optional<RecoveryReport>> recover(const Disks& disks, const SegmentLogOptions& options,
                                              CheckpointUse use, SegmentLog& log, Index& index,
                                              IdSet& committed) {
  return Recovery(disks, options, log, index, committed).run(use);
}

}  // namespace sternpost::spool

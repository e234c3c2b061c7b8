#include "spool/log_walk.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "spool/segment_file.h"
#include "spool/synced_ends.h"

namespace sternpost::spool {
namespace {

/// Both logs at once.
class Walk {
 public:
  explicit Walk(const std::function<void(const LogEntry&)>& use) : use_(use) {}

  Result<void> run(Disk& main, std::vector<FoundSegment> segments) {
    for (auto& segment : segments) sort_in(std::move(segment));
    // What the logs have is shown without a checkpoint too: what is wrong with it, a start says.
    if (const auto checkpoints = CheckpointBase::open_all(main)) {
      synced_ends_ = SyncedEnds(*checkpoints, spool_);
    }
    for (auto& log : logs_) {
      std::ranges::sort(log.segments, {}, [](const FoundSegment& one) { return one.header->generation; });
    }
    for (;;) {
      Log* next = nullptr;
      for (auto& log : logs_) {
        if (auto opened = open_next(log); !opened) return opened;
        if (log.reading && (next == nullptr || log.log_sequence() < next->log_sequence())) next = &log;
      }
      if (next == nullptr) return {};
      tell_group(*next->reading);
    }
  }

 private:
  struct Reading {
    const FoundSegment* segment = nullptr;
    std::string name;
    std::string bytes;
    SegmentScan scan;  ///< views into `bytes`; damage by offset
    std::size_t next_group = 0;
    std::size_t next_damage = 0;
  };
  struct Log {
    std::vector<FoundSegment> segments;  ///< by generation
    std::size_t next = 0;
    std::unique_ptr<Reading> reading;

    [[nodiscard]] std::uint64_t log_sequence() const {
      return reading->scan.groups[reading->next_group].log_sequence;
    }
  };

  void sort_in(FoundSegment segment) {
    if (!segment.header) {
      if (segment.why_not.empty()) return;
      const auto name = segment_name(segment.slot);
      use_({.file = name, .length = segment.file_bytes, .why = segment.why_not});
      return;
    }
    const auto& header = *segment.header;
    if (header.spool != kAnySpool && !spool_) spool_ = header.spool;
    if (header.role == SegmentRole::spare) return;
    named_ends_.add(header.previous);
    logs_.at(static_cast<std::size_t>(stream_of(header.role))).segments.push_back(std::move(segment));
  }

  Result<void> open_next(Log& log) {
    while (!log.reading || log.reading->next_group == log.reading->scan.groups.size()) {
      if (log.reading) close(*log.reading);
      log.reading.reset();
      if (log.next == log.segments.size()) return {};
      auto& segment = log.segments[log.next++];
      auto opened = open(segment, log.next == log.segments.size());
      segment.file.reset();
      if (!opened) return fail_with(std::move(opened), segment_name(segment.slot));
      log.reading = std::move(*opened);
    }
    return {};
  }

  Result<std::unique_ptr<Reading>> open(const FoundSegment& segment, bool newest) {
    const ScanStart start{.synced_end = synced_ends_.find(*segment.header)};
    auto scanned = scan_file(*segment.file, segment.file_bytes, *segment.header, named_ends_, newest, start);
    if (!scanned) return fail_with(std::move(scanned));
    auto reading = std::make_unique<Reading>();
    reading->segment = &segment;
    reading->name = segment_name(segment.slot);
    reading->bytes = std::move(scanned->bytes);
    reading->scan = std::move(scanned->scan);
    auto& scan = reading->scan;
    if (scan.torn_tail) scan.damage.push_back({scan.end, 0, {}, "a torn tail: never acknowledged, dropped"});
    std::ranges::sort(scan.damage, {}, &Damage::offset);
    return reading;
  }

  void tell_group(Reading& reading) {
    const auto& group = reading.scan.groups[reading.next_group++];
    const auto bytes = std::string_view(reading.bytes).substr(group.offset);
    const auto header = parse_group_header(bytes, SegmentIdentity(*reading.segment->header));
    for (const auto& record : group.records) {
      tell_damage(reading, record.offset);
      LogEntry entry{.file = reading.name,
                     .offset = record.offset,
                     .length = record.bytes(),
                     .record = &record,
                     .id = record.header.id,
                     .role = reading.segment->header->role};
      if (header) {
        entry.group = header->log_sequence;
        entry.written = header->written;
      }
      use_(entry);
    }
  }

  /// What is damaged before `until`.
  void tell_damage(Reading& reading, std::uint64_t until) {
    for (; reading.next_damage < reading.scan.damage.size(); ++reading.next_damage) {
      const auto& damage = reading.scan.damage[reading.next_damage];
      if (damage.offset >= until) return;
      use_({.file = reading.name,
            .offset = damage.offset,
            .length = damage.length,
            .id = damage.id,
            .why = damage.why,
            .role = reading.segment->header->role});
    }
  }

  void close(Reading& reading) { tell_damage(reading, UINT64_MAX); }

  const std::function<void(const LogEntry&)>& use_;
  std::array<Log, kStreams.size()> logs_;  ///< by stream
  NamedEnds named_ends_;
  SyncedEnds synced_ends_;
  std::optional<std::uint64_t> spool_;  ///< which one this is
};

}  // namespace

Result<std::vector<FoundSegment>> find_segments(const Disks& disks) {
  std::vector<FoundSegment> segments;
  std::set<std::uint32_t> slots;
  for (auto* disk : {disks.main, disks.deferred}) {
    if (disk == nullptr) continue;
    auto names = disk->list();
    if (!names) return fail_with(std::move(names));
    for (const auto& name : *names) {
      const auto slot = parse_segment_name(name);
      if (!slot) continue;
      if (!slots.insert(*slot).second) return fail(ErrorClass::internal, name + " is in both folders");
      auto found = look_at_segment(*disk, *slot);
      if (!found) return fail_with(std::move(found), name);
      segments.push_back(std::move(*found));
    }
  }
  std::ranges::sort(segments, {}, &FoundSegment::slot);
  return segments;
}

Result<void> walk_log(const Disks& disks, const std::function<void(const LogEntry&)>& use) {
  auto segments = find_segments(disks);
  if (!segments) return fail_with(std::move(segments));
  return Walk(use).run(*disks.main, std::move(*segments));
}

}  // namespace sternpost::spool

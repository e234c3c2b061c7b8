#include "spool/engine.h"

#include <algorithm>
#include <utility>

namespace sternpost::spool {
namespace {

constexpr std::uint32_t kMaxLease = 65536;
constexpr std::size_t kMaxIdIntervals = 65536;
/// What a step of upkeep writes at least while mail comes in, where there is as much to write.
constexpr std::uint64_t kLeastStep = 32 * 1024;

CommitLimits commit_limits(const EngineOptions& options) {
  return {options.max_group_bytes, options.max_message_bytes};
}

std::uint64_t least_step(const SegmentLog& log) {
  return std::min(kLeastStep, log.capacity() / 4);
}

}  // namespace

Result<void> check(const EngineOptions& options) {
  const auto wrong = [](const char* text) { return fail(ErrorClass::permanent, text); };
  if (options.segment_bytes % kBlock != 0) return wrong("the segment size must be a multiple of 4096");
  if (options.segment_bytes < 65536 || options.segment_bytes > 1ULL << 30U) {
    return wrong("the segment size must be between 64 KiB and 1 GiB");
  }
  if (options.spare_segments < kLeastSpares) return wrong("there must be two spare segments");
  if (options.max_spool_bytes / options.segment_bytes < options.spare_segments + 2ULL) {
    return wrong("the spool must have room for the spare segments and two more");
  }
  if (options.max_spool_bytes / options.segment_bytes > kMaxSegments) {
    return wrong("the spool must not have more than 32768 segments");
  }
  if (options.max_group_bytes < kBlock) return wrong("a group must have room for a block");
  return {};
}

Engine::Engine(const Disks& disks, Clock& clock, const EngineOptions& options)
    : options_(options),
      main_(*disks.main),
      log_(disks, clock, log_options()),
      committed_(kMaxIdIntervals),
      housekeeper_(log_, index_, clock, options.spare_segments, least_step(log_)),
      committer_(log_, index_, committed_, housekeeper_, commit_limits(options)),
      reader_(log_),
      checkpoints_(*disks.main, log_, index_, committed_, options.checkpoint_bytes),
      pace_(least_step(log_)) {}

SegmentLogOptions Engine::log_options() const {
  return {.segment_bytes = options_.segment_bytes,
          .max_bytes = options_.max_spool_bytes,
          .main_bytes = (options_.spare_segments + 2ULL) * options_.segment_bytes,
          .min_free_bytes = options_.min_free_bytes,
          .salt = options_.salt};
}

Result<std::unique_ptr<Engine>> Engine::open(const Disks& disks, Clock& clock, const EngineOptions& options,
                                             CheckpointUse use) {
  if (auto checked = check(options); !checked) return fail_with(std::move(checked));
  std::string why_again;
  for (;;) {
    std::unique_ptr<Engine> engine(new Engine(disks, clock, options));
    auto report =
        recover(disks, engine->log_options(), use, engine->log_, engine->index_, engine->committed_);
    if (!report) return fail_with(std::move(report), "reading the spool");
    if (!*report) {
      why_again = "the log does not go on from it";
      use = CheckpointUse::none;
      continue;
    }
    engine->report_ = std::move(**report);
    engine->orphans_ = engine->report_.orphans;
    if (!why_again.empty()) engine->report_.no_checkpoint = why_again;
    engine->log_.set_other_bytes(engine->index_.file_bytes());
    engine->checkpoints_.resume_after(engine->report_.checkpoint_serial, engine->report_.checkpoint_file);
    return engine;
  }
}

Result<void> Engine::reconfigure(const EngineOptions& options) {
  if (auto checked = check(options); !checked) return checked;
  if (options.segment_bytes != options_.segment_bytes) {
    return fail(ErrorClass::permanent, "the segment size cannot change while the spool runs");
  }
  options_ = options;
  log_.set_limits(log_options());
  committer_.set_limits(commit_limits(options));
  housekeeper_.set_spares(options.spare_segments);
  checkpoints_.set_interval(options.checkpoint_bytes);
  return {};
}

Result<QueueId> Engine::lease(std::uint32_t count) {
  if (count == 0 || count > kMaxLease) return fail(ErrorClass::permanent, "a lease of this many ids");
  (void)housekeeper_.make_room(kBlock);
  return log_.lease(count);
}

std::vector<Result<void>> Engine::commit(std::span<const Op> ops) {
  auto results = committer_.commit(ops);
  log_.set_other_bytes(index_.file_bytes());
  return results;
}

std::vector<QueueId> Engine::take_discarded() {
  auto ids = std::exchange(orphans_, {});
  for (const auto& more : {index_.take_discarded(), committer_.take_discarded()}) {
    ids.insert(ids.end(), more.begin(), more.end());
  }
  return ids;
}

Result<void> Engine::may_take_messages() const {
  if (auto works = housekeeper_.disk_works(); !works) return works;
  if (!housekeeper_.may_add(kBlock, kBlock)) return fail(ErrorClass::temporary, "the spool is full", ENOSPC);
  return {};
}

Result<void> Engine::may_take_content(std::uint64_t bytes, std::uint64_t being_written) const {
  if (auto may = may_take_messages(); !may) return may;
  const auto all = log_.total_bytes() + index_.file_bytes() + being_written + bytes;
  if (all > options_.max_spool_bytes) return fail(ErrorClass::temporary, "the spool is full", ENOSPC);
  const auto free = main_.free_bytes();
  if (!free) return std::unexpected(free.error());
  if (*free < options_.min_free_bytes + bytes) {
    return fail(ErrorClass::temporary, "the spool's disk is full", ENOSPC);
  }
  return {};
}

std::uint64_t Engine::bytes_written() const {
  return log_.counters().bytes_written + checkpoints_.bytes_written();
}

Result<bool> Engine::maintain(Upkeep upkeep) {
  const auto before = bytes_written();
  pace_.earn(before - std::exchange(paced_bytes_, before));
  const bool at_a_pace = upkeep == Upkeep::pressing && !housekeeper_.must_hurry();
  const auto bytes = at_a_pace ? pace_.step() : kUpkeepStep;
  if (bytes == 0) return false;
  auto more = step(upkeep, bytes);
  paced_bytes_ = bytes_written();
  if (at_a_pace) pace_.spend(paced_bytes_ - before);
  return more;
}

Result<bool> Engine::step(Upkeep upkeep, std::uint64_t bytes) {
  auto more = housekeeper_.maintain(upkeep, bytes);
  if (!more || *more) return more;
  const bool calm = upkeep == Upkeep::all;
  const bool wanted = checkpoints_.is_late() || (calm && (checkpoints_.is_due() || checkpoints_.busy()));
  return wanted ? checkpoints_.step(bytes) : false;
}

Result<mail::Envelope> Engine::read_envelope(QueueId id) {
  const auto message = index_.outline(id);
  if (!message) return fail(ErrorClass::permanent, "no message " + to_string(id) + " in the queue");
  return reader_.envelope(message->envelope);
}

Result<Reader::Content> Engine::find_content(QueueId id) {
  const auto message = index_.outline(id);
  if (!message) return fail(ErrorClass::permanent, "no message " + to_string(id) + " in the queue");
  return reader_.content(message->data);
}

Result<std::string> Engine::read_content(QueueId id) {
  auto found = find_content(id);
  if (!found) return fail_with(std::move(found));
  if (!found->file) return std::move(found->inside);
  std::string content;
  const auto append = [&](std::string_view piece) -> Result<void> {
    content += piece;
    return {};
  };
  if (auto read = spool::read_content(main_, id, *found->file, append); !read)
    return fail_with(std::move(read));
  return content;
}

Result<void> Engine::read_content(QueueId id, const ContentSink& sink) {
  const auto found = find_content(id);
  if (!found) return std::unexpected(found.error());
  return found->file ? spool::read_content(main_, id, *found->file, sink) : sink(found->inside);
}

Result<std::string> Engine::read_beginning(QueueId id, std::size_t bytes) {
  auto found = find_content(id);
  if (!found) return fail_with(std::move(found));
  if (found->file) return spool::read_beginning(main_, id, *found->file, bytes);
  return found->inside.substr(0, bytes);
}

Result<std::optional<ContentFile>> Engine::content_file(QueueId id) {
  const auto found = find_content(id);
  if (!found) return std::unexpected(found.error());
  return found->file;
}

EngineStats Engine::stats() const {
  EngineStats stats;
  stats.live = index_.live();
  stats.finished = index_.finished();
  for (const auto& segment : log_.segments()) stats.spares += segment.state == SegmentState::spare ? 1 : 0;
  stats.bytes = log_.total_bytes();
  stats.content_bytes = index_.file_bytes();
  stats.deferrals_in_memory = committer_.deferrals_in_memory();
  stats.log = log_.counters();
  stats.checkpoints = checkpoints_.written();
  for (std::uint32_t slot = 0; const auto& segment : log_.segments()) {
    stats.needed_bytes += index_.need(slot++).bytes;
    if (segment.state == SegmentState::quarantined) {
      ++stats.quarantined;
      stats.needed_bytes += segment.end;
    }
    if (segment.state == SegmentState::active || segment.state == SegmentState::closed) ++stats.segments;
  }
  return stats;
}

}  // namespace sternpost::spool

#include "spool/engine.h"

#include <algorithm>

namespace sternpost::spool {
namespace {

constexpr std::uint64_t kRecycleStep = 256 * 1024;
constexpr std::uint32_t kMaxLease = 65536;
constexpr std::size_t kMaxIdIntervals = 65536;
/// Failures in a row after which no new message is taken until a sync succeeds.
constexpr unsigned kFailuresThatCloseIntake = 2;

CommitLimits commit_limits(const EngineOptions& options) {
  return {options.max_group_bytes, options.max_message_bytes};
}

}  // namespace

Result<void> check(const EngineOptions& options) {
  const auto wrong = [](const char* text) { return fail(ErrorClass::permanent, text); };
  if (options.segment_bytes % kBlock != 0) return wrong("the segment size must be a multiple of 4096");
  if (options.segment_bytes < 65536 || options.segment_bytes > 1ULL << 30U) {
    return wrong("the segment size must be between 64 KiB and 1 GiB");
  }
  if (options.spare_segments < 1) return wrong("there must be a spare segment");
  if (options.max_message_bytes >= options.segment_bytes / 2) {
    return wrong("the largest message must be smaller than half a segment");
  }
  if (options.max_spool_bytes / options.segment_bytes < options.spare_segments + 2ULL) {
    return wrong("the spool must have room for the spare segments and two more");
  }
  if (options.max_group_bytes < kBlock) return wrong("a group must have room for a block");
  return {};
}

Engine::Engine(Disk& disk, Clock& clock, const EngineOptions& options)
    : options_(options),
      log_(disk, clock, log_options()),
      committed_(kMaxIdIntervals),
      recycler_(log_, index_, std::min(kRecycleStep, log_.capacity() / 4)),
      committer_(
          log_, index_, committed_, commit_limits(options), [this] { return may_take_messages(); },
          [this] { make_room(); }),
      reader_(log_) {}

SegmentLogOptions Engine::log_options() const {
  return {options_.segment_bytes, options_.max_spool_bytes, options_.min_free_bytes, options_.salt};
}

Result<std::unique_ptr<Engine>> Engine::open(Disk& disk, Clock& clock, const EngineOptions& options) {
  if (auto checked = check(options); !checked) return fail_with(std::move(checked));
  std::unique_ptr<Engine> engine(new Engine(disk, clock, options));
  auto report = recover(disk, engine->log_options(), engine->log_, engine->index_, engine->committed_);
  if (!report) return fail_with(std::move(report), "reading the spool");
  engine->report_ = std::move(*report);
  return engine;
}

Result<void> Engine::reconfigure(const EngineOptions& options) {
  if (auto checked = check(options); !checked) return checked;
  if (options.segment_bytes != options_.segment_bytes) {
    return fail(ErrorClass::permanent, "the segment size cannot change while the spool runs");
  }
  options_ = options;
  log_.set_limits(options.max_spool_bytes, options.min_free_bytes);
  committer_.set_limits(commit_limits(options));
  return {};
}

Result<QueueId> Engine::lease(std::uint32_t count) {
  if (count == 0 || count > kMaxLease) return fail(ErrorClass::permanent, "a lease of this many ids");
  make_room();
  return log_.lease(count);
}

std::vector<Result<void>> Engine::commit(std::span<const Op> ops) {
  return committer_.commit(ops);
}

Result<void> Engine::may_take_messages() const {
  if (log_.failures_in_row() >= kFailuresThatCloseIntake) {
    return fail(ErrorClass::temporary, "the spool's disk fails", EIO);
  }
  // The last spare is for outcomes and recycling, without which the spool would stay full for ever.
  if (log_.spares() == 0) return fail(ErrorClass::temporary, "the spool is full", ENOSPC);
  return {};
}

/// Spares are made ahead by maintain(); this is for when it could not keep up.
void Engine::make_room() {
  while (log_.spares() == 0 || (log_.spares() == 1 && !log_.has_active())) {
    const auto more = maintain();
    if (!more || !*more) return;
  }
}

Result<bool> Engine::maintain() {
  if (recycler_.busy()) {
    auto more = recycler_.step();
    if (more && !*more) growing_failed_ = false;
    return more ? Result<bool>(true) : more;
  }
  if (const auto doubtful = log_.doubtful()) {
    if (auto reset = log_.reset(*doubtful); !reset) return fail_with(std::move(reset));
    return true;
  }
  if (log_.failures_in_row() >= kFailuresThatCloseIntake && !log_.has_active() && log_.spares() > 0) {
    if (auto opened = log_.activate(); !opened)
      return fail_with(std::move(opened));  // does the disk work again?
    return true;
  }
  if (log_.preparing()) {
    auto more = log_.prepare_step();
    if (!more) growing_failed_ = true;
    return more ? Result<bool>(true) : more;
  }
  if (log_.spares() >= options_.spare_segments) return false;
  return start_recycling_or_growing();
}

/// Cheap recycling before growing, growing before expensive recycling. What moves must have room: half-empty
/// segments in what is there with the spares, others in the active segment alone, so that every one of them
/// is a gain.
Result<bool> Engine::start_recycling_or_growing() {
  const auto half = log_.capacity() / 2;
  const auto cheap = log_.spares() > 0 ? half : std::min(half, log_.room() / 2);
  auto victim = recycler_.cheapest(cheap);
  if (!victim && !growing_failed_ && log_.may_grow()) {
    auto more = log_.prepare_step();
    if (!more) growing_failed_ = true;
    return more;
  }
  if (!victim) victim = recycler_.cheapest(log_.room() / 2);
  if (!victim) {
    growing_failed_ = false;
    return false;
  }
  recycler_.start(*victim);
  return true;
}

Result<mail::Envelope> Engine::read_envelope(QueueId id) {
  const auto* message = index_.find(id);
  if (message == nullptr) return fail(ErrorClass::permanent, "no message " + to_string(id) + " in the queue");
  return reader_.envelope(*message);
}

Result<std::string> Engine::read_content(QueueId id) {
  const auto* message = index_.find(id);
  if (message == nullptr) return fail(ErrorClass::permanent, "no message " + to_string(id) + " in the queue");
  return reader_.content(*message);
}

EngineStats Engine::stats() const {
  EngineStats stats;
  stats.live = index_.live();
  stats.finished = index_.finished();
  stats.spares = log_.spares();
  stats.bytes = log_.total_bytes();
  stats.log = log_.counters();
  for (const auto& segment : log_.segments()) {
    if (segment.state == SegmentState::quarantined) ++stats.quarantined;
    if (segment.state == SegmentState::active || segment.state == SegmentState::closed) ++stats.segments;
  }
  return stats;
}

}  // namespace sternpost::spool

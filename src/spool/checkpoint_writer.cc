#include "spool/checkpoint_writer.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/checksum.h"

namespace sternpost::spool {
namespace {

/// Of a step of finish(), about.
constexpr std::uint64_t kStepBytes = 256UL * 1024;
/// What is gathered in one step, so that it takes no longer than a sync.
constexpr std::size_t kIdsOfStep = 8192;
constexpr std::size_t kBucketsOfStep = 4 * kIdsOfStep;
/// What an entry takes about, with a few recipients: to tell whether there is room for all.
constexpr std::uint64_t kBytesOfEntry = 100;

/// The segments with records.
Result<std::vector<CoveredSegment>> covered_segments(const SegmentLog& log, const Coverage& coverage) {
  std::vector<CoveredSegment> covered;
  for (const auto& segment : log.segments()) {
    if (segment.state != SegmentState::active && segment.state != SegmentState::closed) continue;
    const auto& header = segment.header;
    auto& one = covered.emplace_back(
        CoveredSegment{header.slot, header.generation, segment.end, segment.next_sequence, 0});
    if (!coverage.is_newest(header)) continue;
    auto block = log.read(header.slot, segment.end - kBlock, kBlock);
    if (!block) return fail_with(std::move(block));
    one.last_block = checksum(*block, header.generation);
  }
  return covered;
}

}  // namespace

CheckpointWriter::CheckpointWriter(Disk& disk, const SegmentLog& log, const Index& index,
                                   const IdSet& committed, std::uint64_t interval)
    : disk_(disk), log_(log), index_(index), committed_(committed), interval_(interval) {}

bool CheckpointWriter::is_due(std::uint64_t times) const {
  const auto since = log_.counters().bytes_written - log_bytes_at_;
  return interval_ > 0 && since >= times * std::max(interval_, kLeastRatio * last_bytes_);
}

Result<bool> CheckpointWriter::step(std::uint64_t bytes) {
  const auto coverage = log_.coverage();
  if (!coverage || !index_.is_durable()) {
    give_up();
    return false;
  }
  if (auto done = go_on(*coverage, bytes); !done) {
    give_up();
    return fail_with(std::move(done), "writing a checkpoint");
  }
  return busy();
}

Result<void> CheckpointWriter::go_on(const Coverage& coverage, std::uint64_t bytes) {
  if (!busy()) return begin();
  if (phase_ == Phase::entries) return ids_.empty() ? seal(coverage) : write_entries(coverage, bytes);
  gather_ids();
  return {};
}

Result<void> CheckpointWriter::finish() {
  const bool anything = log_.counters().bytes_written > log_bytes_at_ || serial_ == 0;
  if (interval_ == 0 || (!busy() && !anything)) return {};
  for (;;) {
    auto more = step(kStepBytes);
    if (!more) return fail_with(std::move(more));
    if (!*more) return {};
  }
}

Result<void> CheckpointWriter::begin() {
  begun_at_ = log_.counters().bytes_written;
  phase_ = Phase::live_ids;
  position_ = 0;
  last_position_ = index_.last_position();
  auto free = disk_.free_bytes();
  if (!free) return fail_with(std::move(free));
  const auto needed = (index_.live() + index_.finished()) * kBytesOfEntry + 2 * kStepBytes;
  if (*free < log_.min_free_bytes() + needed) return fail(ErrorClass::temporary, "no room for it", ENOSPC);
  const auto coverage = *log_.coverage();
  auto segments = covered_segments(log_, coverage);
  if (!segments) return fail_with(std::move(segments));
  auto file = disk_.open(std::string(kCheckpointNames.at(next_file_)));
  if (!file) return fail_with(std::move(file));
  file_ = std::move(*file);
  // First of all the one that was there ends.
  if (auto cleared = file_->clear(); !cleared) return cleared;
  if (auto synced = file_->sync(); !synced) return synced;
  if (auto synced = disk_.sync_directory(); !synced) return synced;
  serial_ = std::max(serial_ + 1, log_.last_log_sequence());
  end_ = kBlock;
  pieces_ = 0;
  return write_piece(encode(
      CheckpointHead{log_.spool(), log_.id_mark(), coverage, std::move(*segments), committed_.runs()}));
}

/// The ids of all that was known when it was begun. First those of live messages, then of finished ones: what
/// is finished meanwhile was gathered before, or is found then.
void CheckpointWriter::gather_ids() {
  std::vector<QueueId> ids;
  if (phase_ == Phase::live_ids) {
    for (const auto& [position, id] : index_.after(position_, kIdsOfStep)) {
      position_ = position;
      ids.push_back(id);
    }
    if (ids.size() < kIdsOfStep || position_ >= last_position_) {
      phase_ = Phase::finished_ids;
      buckets_ = 0;
    }
  } else {
    if (const auto now = index_.finished_buckets(); std::exchange(buckets_, now) != now) bucket_ = 0;
    const auto end = std::min(bucket_ + kBucketsOfStep, buckets_);
    for (; bucket_ < end; ++bucket_) index_.add_finished(bucket_, ids);
    if (bucket_ == buckets_) phase_ = Phase::entries;
  }
  ids_.add(std::move(ids));
}

Result<void> CheckpointWriter::write_piece(std::string_view body) {
  const auto piece = frame_piece(body, serial_, pieces_);
  if (auto written = file_->write(end_, piece); !written) return written;
  // Each by itself, so that no sync of the log has to wait for many.
  if (auto synced = file_->sync(); !synced) return synced;
  end_ += piece.size();
  bytes_written_ += piece.size();
  ++pieces_;
  return {};
}

Result<void> CheckpointWriter::write_entries(const Coverage& coverage, std::uint64_t bytes) {
  CheckpointPiece piece{coverage, {}};
  piece.entries.reserve(bytes / sizeof(CheckpointEntry));
  std::uint64_t taken = 0;
  while (taken < bytes) {
    const auto id = ids_.take();
    if (!id) break;
    auto entry = index_.entry(*id);
    if (!entry) continue;
    taken += sizeof(CheckpointEntry) + entry->message.size();
    piece.entries.push_back(std::move(*entry));
  }
  return write_piece(encode(piece));
}

Result<void> CheckpointWriter::seal(const Coverage& coverage) {
  const CheckpointSeal seal{serial_, end_ - kBlock, pieces_, log_.last_log_sequence(), coverage};
  if (auto written = file_->write(0, encode_checkpoint_seal(seal)); !written) return written;
  if (auto synced = file_->sync(); !synced) return synced;
  file_.reset();
  ids_ = {};
  next_file_ = 1 - next_file_;
  last_bytes_ = end_;
  log_bytes_at_ = begun_at_;
  ++written_;
  return {};
}

/// Tried again when there is as much more to cover.
void CheckpointWriter::give_up() {
  log_bytes_at_ = log_.counters().bytes_written;
  if (!busy()) return;
  std::ignore = file_->clear();
  file_.reset();
  ids_ = {};
}

}  // namespace sternpost::spool

#include "spool/checkpoint_writer.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/checksum.h"

namespace sternpost::spool {
namespace {

/// Of one step, about.
constexpr std::size_t kStepBytes = 256UL * 1024;
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

Result<bool> CheckpointWriter::step() {
  const auto coverage = log_.coverage();
  if (!coverage || !index_.is_durable()) {
    give_up();
    return false;
  }
  const bool ends = busy() && next_id_ == ids_.size();
  auto done = !busy() ? begin() : ends ? seal(*coverage) : write_entries(*coverage);
  if (!done) {
    give_up();
    return fail_with(std::move(done), "writing a checkpoint");
  }
  return busy();
}

Result<void> CheckpointWriter::finish() {
  const bool anything = log_.counters().bytes_written > log_bytes_at_ || serial_ == 0;
  if (interval_ == 0 || (!busy() && !anything)) return {};
  for (;;) {
    auto more = step();
    if (!more) return fail_with(std::move(more));
    if (!*more) return {};
  }
}

Result<void> CheckpointWriter::begin() {
  begun_at_ = log_.counters().bytes_written;
  ids_ = index_.known();
  next_id_ = 0;
  auto free = disk_.free_bytes();
  if (!free) return fail_with(std::move(free));
  const auto needed = ids_.size() * kBytesOfEntry + 2 * kStepBytes;
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

Result<void> CheckpointWriter::write_piece(std::string_view body) {
  const auto piece = frame_piece(body, serial_, pieces_);
  if (auto written = file_->write(end_, piece); !written) return written;
  // Each by itself, so that no sync of the log has to wait for many.
  if (auto synced = file_->sync(); !synced) return synced;
  end_ += piece.size();
  ++pieces_;
  return {};
}

Result<void> CheckpointWriter::write_entries(const Coverage& coverage) {
  CheckpointPiece piece{coverage, {}};
  std::size_t bytes = 0;
  for (; next_id_ < ids_.size() && bytes < kStepBytes; ++next_id_) {
    auto entry = index_.entry(ids_[next_id_]);
    if (!entry) continue;
    bytes += sizeof(CheckpointEntry) + entry->message.size();
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

#include "spool/checkpoint_base.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace sternpost::spool {
namespace {

/// The seal is in the first sector, and so is the magic: what the disk does not give back behind that, where
/// it gives back the one without the other, is not needed.
constexpr std::size_t kSealSector = 512;

/// What an error is about: nobody needs the file.
std::string said_of(std::size_t number) {
  return std::string(kCheckpointNames.at(number)) + ", which may be removed";
}

}  // namespace

Result<CheckpointBase> CheckpointBase::open(Disk& disk, std::size_t number) {
  auto file = disk.open(std::string(kCheckpointNames.at(number)));
  if (!file) return fail_with(std::move(file), said_of(number));
  CheckpointBase base(std::move(*file), number);
  if (auto read = base.read_seal(); !read) return fail_with(std::move(read), said_of(number));
  if (base.seal_is_ == SealIs::read) base.fault_ = base.read_head();
  return base;
}

Result<std::vector<CheckpointBase>> CheckpointBase::open_all(Disk& disk) {
  auto names = disk.list();
  if (!names) return fail_with(std::move(names));
  std::vector<CheckpointBase> all;
  for (std::size_t i = 0; i < kCheckpointNames.size(); ++i) {
    if (std::ranges::find(*names, kCheckpointNames.at(i)) == names->end()) continue;
    auto base = open(disk, i);
    if (!base) return fail_with(std::move(base));
    all.push_back(std::move(*base));
  }
  std::ranges::sort(all, std::greater{},
                    [](const CheckpointBase& one) { return std::pair(!one.seal_.spent, one.seal_.serial); });
  return all;
}

Result<void> CheckpointBase::read_seal() {
  std::string block(kSealSector, '\0');
  auto read = read_patiently([&] { return file_->read(0, block); });
  if (!read && !is_unreadable(read.error())) return fail_with(std::move(read));
  if (!read) {
    seal_is_ = SealIs::unread;
    fault_ = "its first block cannot be read";
    return {};
  }
  const auto seal = decode_checkpoint_seal(block);
  if (!seal) return {};
  seal_is_ = SealIs::read;
  seal_ = *seal;
  return {};
}

/// Also what is spent or empty already: it may be so in memory alone. A seal that cannot be read now may be
/// read later: the magic is written without knowing what is behind it. Where that cannot be done, for the
/// rest of the block must be read first, nothing but emptying the file keeps a later start from beginning
/// with it.
Result<void> CheckpointBase::spend() {
  auto done = seal_is_ == SealIs::missing ? empty() : write_spent_magic();
  if (!done && is_unread()) done = empty();
  if (!done) return fail_with(std::move(done), said_of(number_));
  return {};
}

Result<void> CheckpointBase::write_spent_magic() {
  auto block = seal_is_ == SealIs::read ? encode_checkpoint_seal(seal_) : std::string();
  block.replace(0, kSpentMagic.size(), kSpentMagic);
  if (auto written = file_->write(0, block); !written) return written;
  return file_->sync();
}

Result<void> CheckpointBase::empty() {
  if (auto cleared = file_->clear(); !cleared) return cleared;
  return file_->sync();
}

/// From where the next piece begins.
Result<std::size_t> CheckpointBase::read(std::string& out) {
  return read_patiently([&] { return file_->read(next_, out); });
}

Result<std::optional<std::string>> CheckpointBase::next_piece() {
  std::string header(kPieceHeaderBytes, '\0');
  auto got = read(header);
  if (!got) return fail_with(std::move(got));
  const auto left = kBlock + seal_.bytes - next_;
  const auto size = piece_bytes(header);
  if (left < kPieceHeaderBytes || size > left - kPieceHeaderBytes) return std::nullopt;
  std::string piece(kPieceHeaderBytes + size, '\0');
  got = read(piece);
  if (!got) return fail_with(std::move(got));
  const auto body = unframe_piece(piece, seal_.serial, pieces_);
  if (!body) return std::nullopt;
  next_ += piece.size();
  ++pieces_;
  return std::string(*body);
}

/// What is wrong with it; empty where it is whole.
std::string CheckpointBase::read_head() {
  const auto bytes = file_->size();
  if (!bytes) return bytes.error().text;
  const bool is_long_enough = *bytes >= kBlock && seal_.bytes <= *bytes - kBlock;
  const auto piece = is_long_enough ? next_piece() : std::nullopt;
  if (!piece) return piece.error().text;
  auto head = *piece ? decode<CheckpointHead>(**piece) : std::nullopt;
  if (!head) return "it is damaged";
  head_ = std::move(*head);
  for (const auto& segment : head_.segments) covered_.emplace(segment.slot, segment);
  return {};
}

const CoveredSegment* CheckpointBase::find(const SegmentHeader& segment) const {
  const auto at = covered_.find(segment.slot);
  return at != covered_.end() && at->second.generation == segment.generation ? &at->second : nullptr;
}

Result<bool> CheckpointBase::restore(const std::unordered_map<std::uint32_t, SegmentHeader>& segments,
                                     Index& index, IdSet& committed) {
  segments_ = &segments;
  if (!committed.restore(head_.committed)) return false;
  while (pieces_ < seal_.pieces) {
    auto body = next_piece();
    if (!body) return fail_with(std::move(body));
    const auto piece = *body ? decode<CheckpointPiece>(**body) : std::nullopt;
    if (!piece || !restore(*piece, index, committed)) return false;
  }
  return true;
}

bool CheckpointBase::is_there(std::uint32_t slot) const {
  const auto at = segments_->find(slot);
  return at != segments_->end() && at->second.generation < parts_.back().coverage.next_generation;
}

bool CheckpointBase::restore(const CheckpointPiece& piece, Index& index, IdSet& committed) {
  parts_.push_back({ids_.empty() ? QueueId{} : ids_.back(), piece.coverage});
  for (const auto& entry : piece.entries) {
    if (!ids_.empty() && entry.id <= ids_.back()) return false;
    ids_.push_back(entry.id);
    committed.insert(entry.id);  // it may have come after the first piece, and what covers it is not read
    if (!restore(entry, index)) return false;
  }
  if (!ids_.empty()) parts_.back().last = ids_.back();
  return true;
}

bool CheckpointBase::restore(CheckpointEntry entry, Index& index) {
  const auto is_gone = [this](std::uint32_t slot) { return !is_there(slot); };
  auto& extra = entry.extra_copies;
  std::erase_if(extra, is_gone);
  if (entry.message.empty()) {
    restore_finished(std::move(entry), index);
    return true;
  }
  auto message = PackedMessage::parse(entry.message);
  if (!message || message->state.settled()) return false;
  if (is_gone(message->data.slot)) {
    restore_superseded(entry.id, std::move(extra), std::move(message->state), index);
    return true;
  }
  std::erase_if(message->state_slots, is_gone);
  if (is_gone(message->envelope.slot)) unproven_.push_back(entry.id);
  index.restore(entry.id, *message, std::move(extra));
  return true;
}

/// `entry` has those of its extra copies that are there.
void CheckpointBase::restore_finished(CheckpointEntry entry, Index& index) {
  auto& copies = entry.extra_copies;
  if (is_there(entry.copy)) copies.push_back(entry.copy);
  if (copies.empty()) return;
  if (!is_there(entry.certificate)) {
    restore_superseded(entry.id, std::move(copies), MessageState(1, false), index);
    return;
  }
  const Index::Finished finished{entry.certificate, copies.back()};
  copies.pop_back();
  index.restore(entry.id, finished, std::move(copies));
}

/// The record that the checkpoint names was recycled since: a later one moved the message, or proves it
/// finished. Until that is read it stands at one of its other copies, which none but such a record names.
/// Where there is no copy nothing needs to be known.
void CheckpointBase::restore_superseded(QueueId id, std::vector<std::uint32_t> copies, MessageState state,
                                        Index& index) {
  if (copies.empty()) return;
  const Place anywhere{.slot = copies.back()};
  copies.pop_back();
  index.restore(id, Message{anywhere, anywhere, std::move(state), {}, 0}, std::move(copies));
  unproven_.push_back(id);
}

bool CheckpointBase::covers(QueueId id, const SegmentHeader& segment, std::uint64_t offset) const {
  if (!std::ranges::binary_search(ids_, id)) return false;
  const auto part = std::ranges::lower_bound(parts_, id, {}, &Part::last);
  return part != parts_.end() && part->coverage.covers(segment, offset);
}

}  // namespace sternpost::spool

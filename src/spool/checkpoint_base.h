// What a start takes from a checkpoint, so that it reads no more of the log than what came after.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "spool/checkpoint.h"
#include "spool/disk.h"
#include "spool/id_set.h"
#include "spool/index.h"

namespace sternpost::spool {

class CheckpointBase {
 public:
  /// Opens those that are there and reads their heads: first the newest one that is not spent. A file without
  /// a seal, or with one that cannot be read, is among them, as a spent one with a fault.
  static Result<std::vector<CheckpointBase>> open_all(Disk& disk);
  /// Before anything is written to the log: no later start begins with it, or would take it for newer than it
  /// is. It stays there as proof of what was synced. A file without a seal is emptied.
  Result<void> spend();

  /// What is wrong with its head, which says nothing then; empty where it is whole.
  [[nodiscard]] const std::string& fault() const { return fault_; }
  /// The disk does not give its seal back: what it knows may be read by a later start.
  [[nodiscard]] bool is_unread() const { return seal_is_ == SealIs::unread; }
  [[nodiscard]] const CheckpointHead& head() const { return head_; }
  [[nodiscard]] const CheckpointSeal& seal() const { return seal_; }
  [[nodiscard]] std::size_t file() const { return number_; }
  /// The segment as it was when the checkpoint was begun; null where it is another one now.
  [[nodiscard]] const CoveredSegment* find(const SegmentHeader& segment) const;

  /// Fills an index and a set that are empty. False where the checkpoint is damaged: both are of no use then.
  /// `segments`: those with records, by slot.
  Result<bool> restore(const std::unordered_map<std::uint32_t, SegmentHeader>& segments, Index& index,
                       IdSet& committed);
  /// Whether what a record at this place did to a message is in the checkpoint.
  [[nodiscard]] bool covers(QueueId id, const SegmentHeader& segment, std::uint64_t offset) const;
  /// Messages of which the checkpoint knows what was superseded since: the log must have said so.
  [[nodiscard]] const std::vector<QueueId>& unproven() const { return unproven_; }
  [[nodiscard]] std::uint64_t bytes_read() const { return kBlock + seal_.bytes; }

 private:
  enum class SealIs : unsigned char { missing, unread, read };

  CheckpointBase(std::unique_ptr<DiskFile> file, std::size_t number)
      : file_(std::move(file)), number_(number) {}
  static Result<CheckpointBase> open(Disk& disk, std::size_t number);
  Result<void> read_seal();
  Result<void> write_spent_magic();
  Result<void> empty();
  Result<std::size_t> read(std::string& out);
  std::string read_head();
  Result<std::optional<std::string>> next_piece();
  bool restore(const CheckpointPiece& piece, Index& index, IdSet& committed);
  bool restore(CheckpointEntry entry, Index& index);
  void restore_finished(CheckpointEntry entry, Index& index);
  void restore_superseded(QueueId id, std::vector<std::uint32_t> copies, MessageState state, Index& index);
  /// Whether a slot that a piece names is still the segment it named.
  [[nodiscard]] bool is_there(std::uint32_t slot) const;

  std::unique_ptr<DiskFile> file_;
  std::size_t number_;
  SealIs seal_is_ = SealIs::missing;
  CheckpointSeal seal_{.coverage = {}, .spent = true};
  CheckpointHead head_;
  std::string fault_ = "it has no seal";
  std::unordered_map<std::uint32_t, CoveredSegment> covered_;  ///< by slot
  std::uint64_t next_ = kBlock;
  std::uint64_t pieces_ = 0;

  const std::unordered_map<std::uint32_t, SegmentHeader>* segments_ = nullptr;  ///< while restoring
  struct Part {
    QueueId last;
    Coverage coverage;
  };
  std::vector<Part> parts_;   ///< by rising id
  std::vector<QueueId> ids_;  ///< all, by rising id
  std::vector<QueueId> unproven_;
};

}  // namespace sternpost::spool

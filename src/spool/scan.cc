#include "spool/scan.h"

#include <algorithm>
#include <ranges>

namespace sternpost::spool {
namespace {

class Scanner {
 public:
  Scanner(std::string_view bytes, const SegmentHeader& header, EndKnowledge knowledge, const ScanStart& start)
      : bytes_(bytes),
        identity_(header),
        knowledge_(knowledge),
        synced_end_(std::min<std::uint64_t>(start.synced_end, bytes.size())) {
    scan_.end = start.offset;
    scan_.next_sequence = start.sequence;
  }

  SegmentScan run() {
    while (!scan_.sealed && scan_.end < bytes_.size() && step()) {
    }
    order_damaged();
    return std::move(scan_);
  }

 private:
  struct Found {
    std::uint64_t offset = 0;
    GroupHeader header;
  };

  /// A whole group header at a block boundary from `offset` on, of a group later than those seen.
  [[nodiscard]] std::optional<Found> find_group(std::uint64_t offset) const {
    for (; offset < bytes_.size(); offset += kBlock) {
      auto header = parse_group_header(bytes_.substr(offset), identity_);
      if (header && header->sequence >= scan_.next_sequence) return Found{offset, *header};
    }
    return {};
  }

  /// Takes one group, or the damage in its place. False where the log ends.
  bool step() {
    const auto group = find_group(scan_.end);
    if (!group) return end_without_group();
    if (group->offset > scan_.end) {
      // A group header later in the segment proves that what should stand here was synced.
      take_damaged_block(group->offset);
      return true;
    }
    auto parsed = parse_group(bytes_.substr(group->offset), group->offset, group->header, identity_);
    if (!parsed.damage.empty() && !was_synced(*group)) {
      scan_.torn_tail = true;
      return false;
    }
    take(*group, std::move(parsed));
    return true;
  }

  [[nodiscard]] bool was_synced(const Found& group) const {
    if (knowledge_ != EndKnowledge::newest || group.offset < synced_end_) return true;
    for (auto offset = group.offset + group.header.extent(); offset < bytes_.size(); offset += kBlock) {
      const auto next = parse_group_header(bytes_.substr(offset), identity_);
      if (next && next->sequence > group.header.sequence) return true;
    }
    return false;
  }

  bool end_without_group() {
    if (knowledge_ == EndKnowledge::named) {
      take_damaged_block(bytes_.size());
      return false;
    }
    if (scan_.end < synced_end_) {
      take_damaged_block(synced_end_);
      return true;
    }
    const auto rest = bytes_.substr(scan_.end);
    if (knowledge_ == EndKnowledge::newest) {
      scan_.torn_tail = resembles_group_header(rest, identity_);
    } else if (scan_.next_sequence > 0) {  // with no group at all, it is an activation that was given up
      scan_.damage.push_back({scan_.end, rest.size(), {}, "a closed segment has no closing mark"});
    }
    return false;
  }

  void order_damaged() {
    std::uint64_t next = 0;
    for (const auto& group : scan_.groups) next = std::max(next, group.log_sequence);
    for (auto& group : std::views::reverse(scan_.groups)) {
      if (group.log_sequence == 0) group.log_sequence = next;
      next = group.log_sequence;
    }
  }

  /// The header of the group at the end is gone; its records may still be there.
  void take_damaged_block(std::uint64_t until) {
    const auto offset = scan_.end;
    scan_.damage.push_back({offset, until - offset, {}, "a group's header is damaged"});
    if (until - offset > kGroupHeaderBytes) {
      auto parsed =
          parse_records(bytes_.substr(offset + kGroupHeaderBytes, until - offset - kGroupHeaderBytes),
                        offset + kGroupHeaderBytes, identity_);
      // The last of its damage is the padding, or what cannot be told from it; the whole is reported already.
      if (!parsed.damage.empty() && parsed.damage.back().id == QueueId{}) parsed.damage.pop_back();
      scan_.damage.insert(scan_.damage.end(), parsed.damage.begin(), parsed.damage.end());
      scan_.groups.push_back({offset, until - offset, 0, 0, std::move(parsed.records)});
    }
    ++scan_.next_sequence;
    scan_.end = until;
  }

  void take(const Found& group, ParsedRecords parsed) {
    if (group.header.sequence > scan_.next_sequence && scan_.damage.empty()) {
      scan_.damage.push_back({group.offset, 0, {}, "a group is missing before this one"});
    }
    scan_.damage.insert(scan_.damage.end(), parsed.damage.begin(), parsed.damage.end());
    if (is_closing(parsed)) {
      // Its sequence stays free: a mark that may not have reached the disk is written again in its place.
      scan_.sealed = true;
      return;
    }
    scan_.next_sequence = group.header.sequence + 1;
    scan_.end = group.offset + group.header.extent();
    scan_.groups.push_back({group.offset, group.header.extent(), group.header.log_sequence,
                            group.header.id_mark, std::move(parsed.records)});
  }

  static bool is_closing(const ParsedRecords& parsed) {
    if (parsed.records.size() != 1 || parsed.records[0].header.type != RecordType::mark) return false;
    const auto mark = decode<Mark>(parsed.records[0].head);
    return mark && mark->kind == MarkKind::closed;
  }

  std::string_view bytes_;
  SegmentIdentity identity_;
  EndKnowledge knowledge_;
  std::uint64_t synced_end_;
  SegmentScan scan_;
};

}  // namespace

SegmentScan scan_segment(std::string_view bytes, const SegmentHeader& header, EndKnowledge knowledge,
                         const ScanStart& start) {
  return Scanner(bytes, header, knowledge, start).run();
}

}  // namespace sternpost::spool

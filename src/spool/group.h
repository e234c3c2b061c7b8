// A group: the records that one write and one sync make durable together.
//
// Layout: GroupHeader, the records, zeroes up to the next block.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/time.h"
#include "spool/record.h"
#include "spool/segment.h"

namespace sternpost::spool {

struct GroupHeader {
  std::uint64_t checksum = 0;  ///< of the rest of the header
  std::uint32_t slot = 0;
  std::uint64_t generation = 0;
  std::uint64_t sequence = 0;  ///< 0, 1, 2 … in its segment
  /// Rises with every group of the spool: in which order those of the two logs were written.
  std::uint64_t log_sequence = 0;
  std::uint32_t length = 0;  ///< bytes of records
  std::uint32_t records = 0;
  std::uint64_t id_mark = 0;  ///< every queue id in use is smaller
  WallTime written;

  bool operator==(const GroupHeader&) const = default;
  static constexpr auto fields() {
    return std::tuple(&GroupHeader::checksum, &GroupHeader::slot, &GroupHeader::generation,
                      &GroupHeader::sequence, &GroupHeader::log_sequence, &GroupHeader::length,
                      &GroupHeader::records, &GroupHeader::id_mark, &GroupHeader::written);
  }
  /// Bytes on the disk, padding included.
  [[nodiscard]] std::uint64_t extent() const;
};

inline constexpr std::size_t kGroupHeaderBytes = 8 + 4 + 8 + 8 + 8 + 4 + 4 + 8 + 8;

inline std::uint64_t GroupHeader::extent() const {
  return round_up_to_block(kGroupHeaderBytes + length);
}

/// The group header at the start of `bytes`, where one of this segment stands there undamaged.
std::optional<GroupHeader> parse_group_header(std::string_view bytes, const SegmentIdentity& identity);

/// Whether the bytes are a group header of this segment but for its checksum: what a torn write leaves.
bool resembles_group_header(std::string_view bytes, const SegmentIdentity& identity);

/// Bytes that hold no whole record where one was expected.
struct Damage {
  std::uint64_t offset = 0;  ///< in the segment
  std::uint64_t length = 0;
  QueueId id;  ///< of the record that was there, as far as it can be read; zero where it cannot
  std::string why;
};

struct ParsedRecords {
  std::vector<RecordView> records;
  std::vector<Damage> damage;
};

/// The records in `bytes`, which stand at `offset` in the segment. With damage, whatever is whole is still
/// found.
ParsedRecords parse_records(std::string_view bytes, std::uint64_t offset, const SegmentIdentity& identity);

/// The same for what follows an intact group header; also holds the number of records against it.
ParsedRecords parse_group(std::string_view group, std::uint64_t offset, const GroupHeader& header,
                          const SegmentIdentity& identity);

/// What the header of a group says beside what follows from its records and its segment.
struct GroupStamp {
  std::uint64_t sequence = 0;
  std::uint64_t log_sequence = 0;
  std::uint64_t id_mark = 0;
  WallTime now;
};

/// Where a record of a group stands, relative to the group's start.
struct BuiltRecord {
  std::size_t offset = 0;
  RecordHeader header;
  std::size_t at = 0;  ///< the same in the builder's memory, which has no borrowed content
  std::string_view borrowed;
};

/// Gathers records and makes a group of them once it is known where it goes. Keeps its memory between groups.
class GroupBuilder {
 public:
  GroupBuilder() { clear(); }

  /// Appends a record; its position is records().back().
  template <class Head>
  void add(RecordType type, QueueId id, const Head& head, std::string_view content = {}) {
    begin_record();
    Encoder(buffer_).put(head);
    end_record(type, id, content.size());
    buffer_ += content;
  }
  /// The same without a copy: `content` stays as it is until clear().
  template <class Head>
  void add_borrowing(RecordType type, QueueId id, const Head& head, std::string_view content) {
    begin_record();
    Encoder(buffer_).put(head);
    end_record(type, id, content.size());
    records_.back().borrowed = content;
    borrowed_bytes_ += content.size();
  }

  void clear();
  [[nodiscard]] bool empty() const { return records_.empty(); }
  [[nodiscard]] const std::vector<BuiltRecord>& records() const { return records_; }
  /// Bytes on the disk, padding included.
  [[nodiscard]] std::uint64_t extent() const { return extent_with(0); }
  /// The same with so many bytes of records more.
  [[nodiscard]] std::uint64_t extent_with(std::uint64_t bytes) const {
    return round_up_to_block(buffer_.size() + borrowed_bytes_ + bytes);
  }
  /// The same of a group that has nothing else.
  static std::uint64_t extent_of(std::uint64_t bytes) { return round_up_to_block(kGroupHeaderBytes + bytes); }
  /// The whole group as written to a segment, in pieces; valid until the builder changes. May be called
  /// again.
  std::span<const std::string_view> finish(const SegmentIdentity& identity, const GroupStamp& stamp);

 private:
  void begin_record();
  void end_record(RecordType type, QueueId id, std::size_t content_bytes);
  void cut_into_pieces();

  std::string buffer_;  ///< all but borrowed contents and padding
  std::vector<BuiltRecord> records_;
  std::size_t borrowed_bytes_ = 0;
  std::vector<std::string_view> pieces_;
};

}  // namespace sternpost::spool

#include "spool/group.h"

#include <array>

#include "base/checksum.h"

namespace sternpost::spool {
namespace {

constexpr std::size_t kChecksumBytes = sizeof(std::uint64_t);

std::uint64_t header_checksum(std::string_view header, const SegmentIdentity& identity) {
  return checksum(header.substr(kChecksumBytes, kGroupHeaderBytes - kChecksumBytes), identity.seed);
}

std::optional<GroupHeader> parse_unchecked(std::string_view bytes, const SegmentIdentity& identity) {
  Decoder decoder(bytes);
  GroupHeader header;
  if (!decoder.get(header)) return {};
  if (header.slot != identity.slot || header.generation != identity.generation) return {};
  return header;
}

}  // namespace

std::optional<GroupHeader> parse_group_header(std::string_view bytes, const SegmentIdentity& identity) {
  auto header = parse_unchecked(bytes, identity);
  if (!header || header->checksum != header_checksum(bytes, identity)) return {};
  return header;
}

bool resembles_group_header(std::string_view bytes, const SegmentIdentity& identity) {
  return parse_unchecked(bytes, identity).has_value();
}

ParsedRecords parse_records(std::string_view bytes, std::uint64_t offset, const SegmentIdentity& identity) {
  ParsedRecords parsed;
  while (!bytes.empty()) {
    RecordView view;
    const auto fault = parse_record(bytes, identity, view);
    if (fault == RecordFault::header) {
      parsed.damage.push_back({offset, bytes.size(), {}, "no record where one should start"});
      break;
    }
    if (fault == RecordFault::none) {
      view.offset = offset;
      parsed.records.push_back(view);
    } else {
      parsed.damage.push_back({offset, view.bytes(), view.header.id, "a record's checksum does not match"});
    }
    offset += view.bytes();
    bytes.remove_prefix(view.bytes());
  }
  return parsed;
}

ParsedRecords parse_group(std::string_view group, std::uint64_t offset, const GroupHeader& header,
                          const SegmentIdentity& identity) {
  if (group.size() < kGroupHeaderBytes + header.length) {
    return {{}, {{offset, group.size(), {}, "a group reaches beyond the end"}}};
  }
  auto parsed =
      parse_records(group.substr(kGroupHeaderBytes, header.length), offset + kGroupHeaderBytes, identity);
  if (parsed.damage.empty() && parsed.records.size() != header.records) {
    parsed.damage.push_back({offset, header.extent(), {}, "a group has not the number of records it names"});
  }
  return parsed;
}

void GroupBuilder::clear() {
  buffer_.assign(kGroupHeaderBytes, '\0');
  records_.clear();
  borrowed_bytes_ = 0;
}

void GroupBuilder::begin_record() {
  records_.emplace_back();
  records_.back().at = buffer_.size();
  records_.back().offset = buffer_.size() + borrowed_bytes_;
  buffer_.resize(buffer_.size() + kRecordHeaderBytes);
}

void GroupBuilder::end_record(RecordType type, QueueId id, std::size_t content_bytes) {
  auto& record = records_.back();
  record.header.type = type;
  record.header.id = id;
  record.header.head_bytes = static_cast<std::uint32_t>(buffer_.size() - record.at - kRecordHeaderBytes);
  record.header.content_bytes = static_cast<std::uint32_t>(content_bytes);
}

void GroupBuilder::cut_into_pieces() {
  static constexpr std::array<char, kBlock> kZeroes{};
  const std::string_view buffer = buffer_;
  pieces_.clear();
  std::size_t from = 0;
  for (const auto& record : records_) {
    if (record.borrowed.empty()) continue;
    const auto end = record.at + kRecordHeaderBytes + record.header.head_bytes;
    pieces_.push_back(buffer.substr(from, end - from));
    pieces_.push_back(record.borrowed);
    from = end;
  }
  pieces_.push_back(buffer.substr(from));
  pieces_.emplace_back(kZeroes.data(), extent() - buffer_.size() - borrowed_bytes_);
}

std::span<const std::string_view> GroupBuilder::finish(const SegmentIdentity& identity,
                                                       const GroupStamp& stamp) {
  for (auto& record : records_) {
    const auto behind_head = record.at + kRecordHeaderBytes + record.header.head_bytes;
    const auto content = record.borrowed.empty()
                             ? std::string_view(buffer_).substr(behind_head, record.header.content_bytes)
                             : record.borrowed;
    finish_record(buffer_, record.at, record.header, content, identity);
  }
  GroupHeader header;
  header.slot = identity.slot;
  header.generation = identity.generation;
  header.sequence = stamp.sequence;
  header.log_sequence = stamp.log_sequence;
  header.length = static_cast<std::uint32_t>(buffer_.size() + borrowed_bytes_ - kGroupHeaderBytes);
  header.records = static_cast<std::uint32_t>(records_.size());
  header.id_mark = stamp.id_mark;
  header.written = stamp.now;
  overwrite(buffer_, 0, header);
  header.checksum = header_checksum(buffer_, identity);
  overwrite(buffer_, 0, header.checksum);
  cut_into_pieces();
  return pieces_;
}

}  // namespace sternpost::spool

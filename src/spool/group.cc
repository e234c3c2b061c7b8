#include "spool/group.h"

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
}

std::size_t GroupBuilder::begin_record() {
  const auto at = buffer_.size();
  buffer_.resize(at + kRecordHeaderBytes);
  return at;
}

void GroupBuilder::end_record(std::size_t at, RecordType type, QueueId id, std::string_view content) {
  RecordHeader header;
  header.type = type;
  header.id = id;
  header.head_bytes = static_cast<std::uint32_t>(buffer_.size() - at - kRecordHeaderBytes);
  header.content_bytes = static_cast<std::uint32_t>(content.size());
  buffer_.append(content);
  records_.push_back({at, header});
}

std::string_view GroupBuilder::finish(const SegmentIdentity& identity, const GroupStamp& stamp) {
  const auto unpadded = records_.empty()
                            ? kGroupHeaderBytes
                            : records_.back().offset + kRecordHeaderBytes +
                                  records_.back().header.head_bytes + records_.back().header.content_bytes;
  for (const auto& record : records_) finish_record(buffer_, record.offset, record.header, identity);
  GroupHeader header;
  header.slot = identity.slot;
  header.generation = identity.generation;
  header.sequence = stamp.sequence;
  header.log_sequence = stamp.log_sequence;
  header.length = static_cast<std::uint32_t>(unpadded - kGroupHeaderBytes);
  header.records = static_cast<std::uint32_t>(records_.size());
  header.id_mark = stamp.id_mark;
  header.written = stamp.now;
  buffer_.replace(0, kGroupHeaderBytes, encode(header));
  header.checksum = header_checksum(buffer_, identity);
  buffer_.replace(0, kGroupHeaderBytes, encode(header));
  buffer_.resize(header.extent());
  return buffer_;
}

}  // namespace sternpost::spool

#include "spool/record.h"

#include "base/checksum.h"

namespace sternpost::spool {
namespace {

constexpr std::size_t kChecksumBytes = sizeof(std::uint64_t);

std::uint64_t head_checksum(std::string_view record, std::size_t head_bytes,
                            const SegmentIdentity& identity) {
  return checksum(record.substr(kChecksumBytes, kRecordHeaderBytes - kChecksumBytes + head_bytes),
                  identity.seed);
}

/// Header only; false where it cannot be one of this segment.
bool parse_header(std::string_view bytes, const SegmentIdentity& identity, RecordHeader& header) {
  Decoder decoder(bytes);
  return decoder.get(header) && header.slot == identity.slot && header.generation == identity.generation &&
         header.head_bytes <= bytes.size() - kRecordHeaderBytes;
}

}  // namespace

ContentKind content_kind_of(std::string_view message_head) {
  ContentKind kind{};
  return Decoder(message_head).get(kind) ? kind : ContentKind::inline_bytes;
}

std::optional<Settles> settles_of(std::string_view message_head) {
  Decoder in(message_head);
  ContentKind kind{};
  std::optional<Settles> settles;
  if (!in.get(kind) || !in.get(settles)) return std::nullopt;
  return settles;
}

RecordFault parse_record(std::string_view bytes, const SegmentIdentity& identity, RecordView& view) {
  if (!parse_header(bytes, identity, view.header)) return RecordFault::header;
  const auto body = bytes.size() - kRecordHeaderBytes;
  if (view.header.content_bytes > body - view.header.head_bytes) return RecordFault::header;
  view.head = bytes.substr(kRecordHeaderBytes, view.header.head_bytes);
  view.content = bytes.substr(kRecordHeaderBytes + view.header.head_bytes, view.header.content_bytes);
  if (view.header.checksum != head_checksum(bytes, view.head.size(), identity) ||
      view.header.content_checksum != checksum(view.content, identity.seed)) {
    return RecordFault::body;
  }
  return RecordFault::none;
}

bool parse_head(std::string_view bytes, const SegmentIdentity& identity, RecordView& view) {
  if (!parse_header(bytes, identity, view.header)) return false;
  view.head = bytes.substr(kRecordHeaderBytes, view.header.head_bytes);
  return view.header.checksum == head_checksum(bytes, view.head.size(), identity);
}

void finish_record(std::string& buffer, std::size_t at, RecordHeader& header, std::string_view content,
                   const SegmentIdentity& identity) {
  header.slot = identity.slot;
  header.generation = identity.generation;
  header.content_checksum = checksum(content, identity.seed);
  overwrite(buffer, at, header);
  header.checksum = head_checksum(std::string_view(buffer).substr(at), header.head_bytes, identity);
  overwrite(buffer, at, header.checksum);
}

}  // namespace sternpost::spool

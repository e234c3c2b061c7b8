// Reads envelopes and contents back, holding every byte against its checksum.
#pragma once

#include <string>

#include "base/result.h"
#include "mail/envelope.h"
#include "spool/content_file.h"
#include "spool/index.h"
#include "spool/record.h"
#include "spool/segment_log.h"

namespace sternpost::spool {

/// Damage is an error of class permanent, a failing disk one of class temporary.
class Reader {
 public:
  explicit Reader(SegmentLog& log) : log_(log) {}

  /// Of the record that Message::envelope, or Message::data, says.
  Result<mail::Envelope> envelope(const Place& place);
  /// What a message record has behind its head.
  struct Content {
    std::string inside;
    std::optional<ContentFile> file;  ///< where nothing is inside
  };
  Result<Content> content(const Place& place);
  /// The envelope as it is encoded.
  Result<std::string> envelope_bytes(const Place& place);
  /// The same of a record that was read; nothing where it is malformed.
  static std::optional<std::string> envelope_bytes(const RecordView& record);
  /// Brings the texts of outcomes into memory. What is damaged is dropped: a message does not depend on it.
  Result<void> texts(MessageState& state);
  /// Whether a whole record of this message is there.
  bool is_of(QueueId id, const Place& place);

 private:
  struct Head {
    RecordType type = RecordType::message;
    std::string bytes;
  };
  Result<Head> head(const RecordPlace& place);
  Result<void> texts(MessageState& state, const RecordPlace& place);

  SegmentLog& log_;
};

/// The record that holds all of a message's state, whose texts are in memory. Where it would be larger than
/// `max_bytes`, both lose the texts of deferrals, or all.
FullState to_record(MessageState& state, std::string envelope, std::uint64_t max_bytes);

/// The most bytes that a recipient's state takes without the text of its reply.
inline constexpr std::uint64_t kBareStateBytes = 40;

}  // namespace sternpost::spool

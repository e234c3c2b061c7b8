// Reads envelopes and contents back, holding every byte against its checksum.
#pragma once

#include <string>

#include "base/result.h"
#include "mail/envelope.h"
#include "spool/index.h"
#include "spool/record.h"
#include "spool/segment_log.h"

namespace sternpost::spool {

/// Damage is an error of class permanent, a failing disk one of class temporary.
class Reader {
 public:
  explicit Reader(SegmentLog& log) : log_(log) {}

  Result<mail::Envelope> envelope(const Message& message);
  Result<std::string> content(const Message& message);
  /// The envelope as it is encoded.
  Result<std::string> envelope_bytes(const Message& message);

 private:
  SegmentLog& log_;
};

/// The record that holds all of a message's state. Where it would be larger than `max_bytes`, it is without
/// the texts of deferrals, or without any.
FullState to_record(const MessageState& state, std::string envelope, std::uint64_t max_bytes);

/// The most bytes that a recipient's state takes without the text of its reply.
inline constexpr std::uint64_t kBareStateBytes = 40;

}  // namespace sternpost::spool

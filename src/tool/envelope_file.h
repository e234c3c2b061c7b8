// The envelope of an exported message: the text of a file ID.envelope. docs/guide/queue-on-disk.md describes
// it.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/queue_id.h"
#include "mail/envelope.h"
#include "mail/outcome.h"

namespace sternpost::tool {

/// The most octets of such a file, and recipients in it, that are read.
inline constexpr std::size_t kMaxEnvelopeFile = 32ULL << 20U;
inline constexpr std::size_t kMaxImportedRecipients = 10'000;

/// Somebody who has not got the message.
struct ExportedRecipient {
  mail::Mailbox address;
  bool failed = false;  ///< for good, and the sender was not told yet; else it is to be tried again
  std::uint32_t attempts = 0;
  std::optional<mail::RecipientOutcome> last;  ///< of the attempts; its index means nothing

  bool operator==(const ExportedRecipient&) const = default;
};

struct ExportedEnvelope {
  std::string id;  ///< in the queue that it was exported from; for people
  mail::ReversePath reverse_path;
  WallTime arrival;
  mail::Origin origin;
  bool eight_bit = false;
  bool held = false;
  bool warned = false;                   ///< the sender was told that it is late
  std::optional<std::uint64_t> octets;   ///< of the content
  std::optional<std::uint64_t> content;  ///< its XXH3-64
  std::vector<ExportedRecipient> recipients;

  bool operator==(const ExportedEnvelope&) const = default;
};

/// JSON, with a line for each recipient.
std::string to_text(const ExportedEnvelope& envelope);

/// The inverse, of text that anybody may have written; or what is wrong with it, in words.
std::expected<ExportedEnvelope, std::string> parse_envelope_file(std::string_view text);

/// XXH3-64 as the files have it.
std::uint64_t content_checksum(std::string_view content);

}  // namespace sternpost::tool

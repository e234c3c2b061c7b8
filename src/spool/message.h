// What is known of a live message: where it is, and its recipients' state.
#pragma once

#include <cstdint>
#include <vector>

#include "spool/message_state.h"
#include "spool/record.h"

namespace sternpost::spool {

/// Where a record with an envelope is.
struct Place {
  std::uint32_t slot = 0;
  std::uint32_t offset = 0;
  std::uint32_t head_bytes = 0;
  std::uint32_t content_bytes = 0;
  std::uint32_t envelope_bytes = 0;  ///< of the head

  bool operator==(const Place&) const = default;
  [[nodiscard]] std::uint64_t bytes() const {
    return kRecordHeaderBytes + std::uint64_t{head_bytes} + content_bytes;
  }
};

/// Of a message what does not grow with its recipients.
struct Outline {
  Place data;
  Place envelope;
  bool held = false;
  std::uint64_t file_bytes = 0;  ///< of its content file; 0: its content is in the record

  [[nodiscard]] std::uint64_t content_bytes() const {
    return file_bytes > 0 ? file_bytes : data.content_bytes;
  }
};

struct Message {
  Place data;      ///< the latest message record
  Place envelope;  ///< the record with the latest envelope; the same where it was not replaced
  MessageState state;
  /// Segments with records that changed `state` since the last record that holds all of it, that one's
  /// included unless it is `data`.
  std::vector<std::uint32_t> state_slots;
  std::uint64_t file_bytes = 0;  ///< as in Outline

  [[nodiscard]] std::uint64_t content_bytes() const {
    return file_bytes > 0 ? file_bytes : data.content_bytes;
  }

  bool operator==(const Message&) const = default;
};

}  // namespace sternpost::spool

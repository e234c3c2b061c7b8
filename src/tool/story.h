// What happened to a message, an address or a client: the records that tell it, chosen and put in order.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/queue_id.h"
#include "runtime/record.h"

namespace sternpost::tool {

/// What `sternpost why` was asked about.
struct Subject {
  enum class Kind : unsigned char { message, address, client };
  Kind kind = Kind::message;
  std::string text;  ///< the id; the address in lower case without angle brackets; the client without port
};

/// A queue id, an address with "@" or "<>" for the null one, or an IP address with or without port.
std::optional<Subject> parse_subject(std::string_view text);

/// Whether this record is about the subject by itself. An address is met as sender, as recipient, and among
/// the recipients of a message, which its acceptance lists in the fact "to".
bool is_about(const Record& record, const Subject& subject);

/// Gathers in two passes over the history: find() sees every line and learns which messages are meant,
/// gather() sees every line again and keeps all records of those. Of an address or client only the newest
/// `most` messages and the newest `most` records without a message are kept.
class Story {
 public:
  Story(Subject subject, std::size_t most);

  void find(const std::string& line);
  void gather(const std::string& line);

  /// The messages found, in the order in which they were last met.
  [[nodiscard]] const std::deque<QueueId>& messages() const { return messages_; }
  /// The records of one message, oldest first.
  [[nodiscard]] const std::vector<Record>& records_of(QueueId id) const;
  /// Records about the subject that belong to no message: refusals, sessions.
  [[nodiscard]] const std::deque<Record>& others() const { return others_; }
  [[nodiscard]] bool empty() const { return messages_.empty() && others_.empty(); }

 private:
  void meet(QueueId id);

  Subject subject_;
  std::string needle_;  ///< what a line about the subject has in it, as JSON writes it
  std::size_t most_;
  std::deque<QueueId> messages_;
  std::map<QueueId, std::vector<Record>> records_;
  std::deque<Record> others_;
};

/// One record as a line of a story, with the time since `begin`: the line of mail.log, time first. The SMTP
/// dialogue of a failed attempt stands below it instead, a line for each command and reply.
std::string story_line(const Record& record, WallTime begin);

}  // namespace sternpost::tool

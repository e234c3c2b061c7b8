// One message on its way in: content gathered into pieces, measured, and judged at its end.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mail/header.h"
#include "protocol/smtp/content_reader.h"
#include "protocol/smtp/server_actions.h"
#include "protocol/smtp/server_limits.h"

namespace sternpost::smtp {

/// Why a message that has come whole is refused.
struct MessageFault {
  mail::Reply reply;
  Rule rule;
};

/// Holds at most two pieces of content in memory. After a fault nothing is kept, but the content is read to
/// its true end, so that none of it is ever taken for commands.
class MessageIntake {
 public:
  /// `limits` must outlive the message. `trace` goes before the content; `expected` octets (SIZE=, 0 if
  /// unknown) is a hint for memory only.
  void begin(const ServerLimits& limits, LineEnd line_end, QueueId id, std::string trace,
             std::uint64_t expected);

  /// Reads up to the end of the content; answers the octets taken. Pieces and Abandon go to `actions`.
  std::size_t take(std::string_view input, std::vector<Action>& actions);

  [[nodiscard]] bool ended() const { return reader_.ended(); }
  /// After the end: what is wrong with the message, or nothing.
  [[nodiscard]] std::optional<MessageFault> fault() const;

  /// The content that no piece carried. Only without a fault.
  [[nodiscard]] std::string take_last_piece() { return std::move(content_); }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

  /// The message is given up before its end.
  void abandon(std::vector<Action>& actions);

 private:
  void send_pieces(std::vector<Action>& actions);

  const ServerLimits* limits_ = nullptr;
  ContentReader reader_;
  mail::HopCounter hops_;
  QueueId id_;
  std::string content_;
  std::uint64_t bytes_ = 0;
  bool discarding_ = false;
  bool pieces_sent_ = false;
};

}  // namespace sternpost::smtp

// What the SMTP server is told of the configuration.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>

#include "base/rule.h"

namespace sternpost::smtp {

/// Where each bound is set, for the records of refusals; named like the keys of the configuration.
struct ServerRules {
  Rule normalize, max_message, max_recipients, max_command_line, max_text_line, max_commands, max_errors,
      max_messages, max_hops, command_timeout, data_timeout, session_timeout;
  bool operator==(const ServerRules&) const = default;
  static constexpr auto fields() {
    return std::tuple(&ServerRules::normalize, &ServerRules::max_message, &ServerRules::max_recipients,
                      &ServerRules::max_command_line, &ServerRules::max_text_line, &ServerRules::max_commands,
                      &ServerRules::max_errors, &ServerRules::max_messages, &ServerRules::max_hops,
                      &ServerRules::command_timeout, &ServerRules::data_timeout,
                      &ServerRules::session_timeout);
  }
};

/// Every bound of a session. Zero bounds nothing out: the configuration's minimum is one.
struct ServerLimits {
  std::string hostname;                 ///< in the greeting, in EHLO and in Received
  std::uint64_t max_message_bytes = 0;  ///< content as it was sent, without the dots of transparency
  std::uint32_t max_recipients = 0;     ///< a message
  std::uint32_t max_command_line = 0;   ///< octets with the line end
  std::uint32_t max_text_line = 0;      ///< octets with the line end
  std::uint32_t max_commands = 0;       ///< a session
  std::uint32_t max_errors = 0;         ///< refusals with 5xx in a session
  std::uint32_t max_messages = 0;       ///< accepted in a session
  std::uint32_t max_hops = 0;           ///< Received fields
  std::uint32_t max_unanswered = 64;    ///< recipients whose verdicts are awaited at one time
  std::size_t max_replies = 8192;       ///< octets not written, beyond which commands wait
  std::size_t piece_bytes = 65536;      ///< content is handed on in pieces of this size
  /// Nobody may send mail just now: 452 to MAIL, with this text. May change between commands.
  std::string closed_because = {};
  Rule closed_rule = {};
  /// Take a bare LF as line end in a session whose first line ended so. See ContentReader.
  bool normalize = false;
  ServerRules rules;
};

}  // namespace sternpost::smtp

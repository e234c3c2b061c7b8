// Which verbs there are, and where each may stand in a group of pipelined commands.
#pragma once

#include <string_view>

#include "protocol/smtp/conversation.h"

namespace sternpost::smtp {

struct Command {
  std::string_view verb;  ///< in upper case
  void (*run)(Conversation&, std::string_view arguments);
  /// The client must wait for the answer before it sends more (RFC 2920 section 3.1, RFC 5321
  /// section 4.1.1.1).
  bool ends_group = false;
};

/// The command of that verb, in any case; null where there is none.
const Command* find_command(std::string_view verb);

}  // namespace sternpost::smtp

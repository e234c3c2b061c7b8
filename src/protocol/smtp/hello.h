// What EHLO and HELO have in common.
#pragma once

#include <string_view>

#include "protocol/smtp/conversation.h"

namespace sternpost::smtp::verbs {

/// Notes who the client says it is and resets the transaction; refuses a name that is missing, longer than
/// 255 octets or not printable ASCII, and then answers false. A name that is only no domain is taken: RFC
/// 5321 section 4.1.4 forbids to refuse mail for it, and the trace field cleans it.
bool greet(Conversation& conversation, std::string_view name, bool extended);

}  // namespace sternpost::smtp::verbs

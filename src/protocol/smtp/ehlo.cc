// EHLO: RFC 5321 section 4.1.1.1, and the extensions on offer.
#include <string>

#include "protocol/smtp/hello.h"
#include "protocol/smtp/verbs.h"

namespace sternpost::smtp::verbs {

void ehlo(Conversation& conversation, std::string_view arguments) {
  if (!greet(conversation, arguments, true)) return;
  const auto& limits = conversation.limits();
  conversation.reply_lines(250, {},
                           {limits.hostname, "PIPELINING", "SIZE " + std::to_string(limits.max_message_bytes),
                            "8BITMIME", "ENHANCEDSTATUSCODES"});
}

}  // namespace sternpost::smtp::verbs

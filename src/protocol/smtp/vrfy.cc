// VRFY: RFC 5321 sections 3.5.3 and 7.3. Who exists is told at RCPT, where a client must name a sender first.
#include "protocol/smtp/verbs.h"

namespace sternpost::smtp::verbs {

void vrfy(Conversation& conversation, std::string_view arguments) {
  if (arguments.empty()) {
    conversation.refuse({501, {5, 5, 4}, "Syntax: VRFY address"}, built_in("RFC 5321 4.1.1.6"));
    return;
  }
  conversation.reply(252, {2, 5, 0}, "Cannot verify here, but will take mail and try");
}

}  // namespace sternpost::smtp::verbs

// HELO: RFC 5321 section 4.1.1.1.
#include "protocol/smtp/hello.h"
#include "protocol/smtp/verbs.h"

namespace sternpost::smtp::verbs {

void helo(Conversation& conversation, std::string_view arguments) {
  if (!greet(conversation, arguments, false)) return;
  conversation.reply(250, {}, conversation.limits().hostname);
}

}  // namespace sternpost::smtp::verbs

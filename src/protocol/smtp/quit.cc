// QUIT: RFC 5321 section 4.1.1.10.
#include <string>

#include "protocol/smtp/verbs.h"

namespace sternpost::smtp::verbs {

void quit(Conversation& conversation, std::string_view arguments) {
  if (refuse_arguments(conversation, arguments)) return;
  conversation.reply(221, {2, 0, 0}, conversation.limits().hostname + " closes the connection");
  conversation.phase = Phase::closed;
}

}  // namespace sternpost::smtp::verbs

// RSET: RFC 5321 section 4.1.1.5.
#include "protocol/smtp/verbs.h"

namespace sternpost::smtp::verbs {

void rset(Conversation& conversation, std::string_view arguments) {
  if (refuse_arguments(conversation, arguments)) return;
  conversation.reset_transaction();
  conversation.reply(250, {2, 0, 0}, "Ok");
}

}  // namespace sternpost::smtp::verbs

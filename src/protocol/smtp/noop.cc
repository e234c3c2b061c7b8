// NOOP: RFC 5321 section 4.1.1.9. Its argument, if any, means nothing.
#include "protocol/smtp/verbs.h"

namespace sternpost::smtp::verbs {

void noop(Conversation& conversation, std::string_view) {
  conversation.reply(250, {2, 0, 0}, "Ok");
}

}  // namespace sternpost::smtp::verbs

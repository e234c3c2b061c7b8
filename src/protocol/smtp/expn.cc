// EXPN: RFC 5321 sections 3.5.2 and 7.3. Who is on a list is nobody's business.
#include "protocol/smtp/verbs.h"

namespace sternpost::smtp::verbs {

void expn(Conversation& conversation, std::string_view arguments) {
  if (arguments.empty()) {
    conversation.refuse({501, {5, 5, 4}, "Syntax: EXPN list"}, built_in("RFC 5321 4.1.1.7"));
    return;
  }
  conversation.refuse({502, {5, 5, 1}, "Lists are not expanded here"}, built_in("RFC 5321 7.3"));
}

}  // namespace sternpost::smtp::verbs

// Verbs that are known and not offered, and what verbs share.
#include "protocol/smtp/verbs.h"

namespace sternpost::smtp::verbs {

void not_offered(Conversation& conversation, std::string_view) {
  conversation.refuse({502, {5, 5, 1}, "Command not offered"}, built_in("RFC 5321 4.2.4"));
}

void http(Conversation& conversation, std::string_view) {
  conversation.refuse_and_close({554, {5, 7, 0}, "This is a mail server, not a web server"},
                                built_in("HTTP verb"));
}

bool refuse_arguments(Conversation& conversation, std::string_view arguments) {
  if (arguments.empty()) return false;
  conversation.refuse({501, {5, 5, 4}, "This command takes no arguments"}, built_in("RFC 5321 4.1.1"));
  return true;
}

}  // namespace sternpost::smtp::verbs

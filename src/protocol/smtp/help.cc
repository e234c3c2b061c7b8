// HELP: RFC 5321 section 4.1.1.8.
#include "protocol/smtp/verbs.h"

namespace sternpost::smtp::verbs {

void help(Conversation& conversation, std::string_view) {
  conversation.reply_lines(
      214, {2, 0, 0},
      {"This is Sternpost. Commands:", "EHLO HELO MAIL RCPT DATA RSET NOOP VRFY EXPN HELP QUIT"});
}

}  // namespace sternpost::smtp::verbs

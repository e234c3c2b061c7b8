// The commands of SMTP (RFC 5321 section 4.1.1), a file for each. A verb gets its arguments without white
// space around them, changes the conversation and answers.
#pragma once

#include <string_view>

#include "protocol/smtp/conversation.h"

namespace sternpost::smtp::verbs {

void ehlo(Conversation& conversation, std::string_view arguments);
void helo(Conversation& conversation, std::string_view arguments);
void mail(Conversation& conversation, std::string_view arguments);
void rcpt(Conversation& conversation, std::string_view arguments);
void data(Conversation& conversation, std::string_view arguments);
void rset(Conversation& conversation, std::string_view arguments);
void noop(Conversation& conversation, std::string_view arguments);
void vrfy(Conversation& conversation, std::string_view arguments);
void expn(Conversation& conversation, std::string_view arguments);
void help(Conversation& conversation, std::string_view arguments);
void quit(Conversation& conversation, std::string_view arguments);

/// Verbs of extensions and of RFC 821 that this server does not offer.
void not_offered(Conversation& conversation, std::string_view arguments);
/// Verbs of HTTP: a browser was tricked into speaking to us, so nothing more it sends is read.
void http(Conversation& conversation, std::string_view arguments);

/// Refuses arguments where there must be none; true when it did.
bool refuse_arguments(Conversation& conversation, std::string_view arguments);

}  // namespace sternpost::smtp::verbs

// RCPT: RFC 5321 section 4.1.1.3. Whether a recipient is accepted is asked; everything else is decided here.
#include <string>

#include "protocol/smtp/path.h"
#include "protocol/smtp/verbs.h"

namespace sternpost::smtp::verbs {

void rcpt(Conversation& conversation, std::string_view arguments) {
  if (!conversation.transaction.open) {
    conversation.refuse({503, {5, 5, 1}, "MAIL first"}, built_in("RFC 5321 4.1.4"));
    return;
  }
  const auto path = split_path(arguments, "TO:");
  if (!path) {
    conversation.refuse_recipient({501, {5, 5, 4}, "Syntax: RCPT TO:<address>"}, built_in("RFC 5321 4.1.1.3"),
                                  {});
    return;
  }
  auto recipient = mail::Mailbox::from_wire(path->inside);
  if (!recipient) {
    conversation.refuse_recipient({501, {5, 1, 3}, "Malformed recipient address"}, built_in("RFC 5321 4.1.2"),
                                  std::string(path->inside));
    return;
  }
  if (!path->parameters.empty()) {
    conversation.refuse_recipient({555, {5, 5, 4}, "RCPT parameter not recognized"},
                                  built_in("RFC 5321 4.1.1.11"), recipient->to_wire());
    return;
  }
  const auto& limits = conversation.limits();
  if (conversation.transaction.recipients.size() + conversation.unanswered() >= limits.max_recipients) {
    conversation.refuse_recipient({452, {4, 5, 3}, "Too many recipients"}, limits.rules.max_recipients,
                                  recipient->to_wire());
    return;
  }
  conversation.ask_about(std::move(*recipient));
}

}  // namespace sternpost::smtp::verbs

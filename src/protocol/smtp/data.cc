// DATA: RFC 5321 section 4.1.1.4. The 354 waits for the queue id, which the trace field names.
#include "protocol/smtp/verbs.h"

namespace sternpost::smtp::verbs {

void data(Conversation& conversation, std::string_view arguments) {
  if (refuse_arguments(conversation, arguments)) return;
  const auto& transaction = conversation.transaction;
  if (transaction.recipients.empty()) {
    if (transaction.recipient_refused) {
      conversation.refuse({554, {5, 5, 1}, "No valid recipients"}, built_in("RFC 5321 3.3"));
    } else {
      conversation.refuse({503, {5, 5, 1}, transaction.open ? "RCPT first" : "MAIL first"},
                          built_in("RFC 5321 4.1.4"));
    }
    return;
  }
  conversation.phase = Phase::awaiting_id;
  conversation.actions.emplace_back(WantId{});
}

}  // namespace sternpost::smtp::verbs

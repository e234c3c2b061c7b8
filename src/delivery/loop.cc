#include "delivery/loop.h"

#include <string>

#include "mail/extension.h"
#include "mail/header.h"

namespace sternpost::delivery {

std::optional<mail::Reply> find_loop(std::string_view content, const mail::Mailbox& recipient) {
  const auto ours = mail::fold_case(recipient.to_wire());
  mail::HeaderReader header(content);
  while (const auto field = header.next()) {
    if (!mail::same_field_name(field->name, "Delivered-To")) continue;
    if (mail::fold_case(mail::unfold(field->value)) == ours) {
      return mail::Reply{554, {5, 4, 6}, "mail loop: this message was delivered to this address before"};
    }
  }
  return std::nullopt;
}

}  // namespace sternpost::delivery

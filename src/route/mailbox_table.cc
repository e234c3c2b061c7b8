#include "route/mailbox_table.h"

#include <utility>

#include "mail/address.h"
#include "mail/extension.h"

namespace sternpost::route {

namespace {

/// The address as it is looked up: in lower case, and its local part without the quotes that it may have on
/// the wire.
std::string key_of(const std::string& address) {
  const auto mailbox = mail::Mailbox::from_wire(address);
  if (!mailbox) return mail::fold_case(address);
  return mail::fold_case(mailbox->local_part()) + '@' + mailbox->domain().to_wire();
}

}  // namespace

MailboxTable::MailboxTable(std::vector<ListedMailbox> entries, std::string extension_delimiter)
    : entries_(std::move(entries)), delimiter_(std::move(extension_delimiter)) {
  by_address_.reserve(entries_.size());
  for (std::size_t i = 0; i < entries_.size(); ++i) by_address_.try_emplace(key_of(entries_[i].address), i);
}

const ListedMailbox* MailboxTable::exact(std::string_view local_part, std::string_view domain) const {
  std::string key(local_part);
  key.append(1, '@').append(domain);
  const auto at = by_address_.find(key);
  return at == by_address_.end() ? nullptr : &entries_[at->second];
}

const ListedMailbox* MailboxTable::find(std::string_view local_part, std::string_view domain) const {
  const auto folded = mail::fold_case(local_part);
  if (const auto* whole = exact(folded, domain)) return whole;
  if (const auto base = mail::without_extension(folded, delimiter_)) {
    if (const auto* found = exact(*base, domain)) return found;
  }
  return exact({}, domain);
}

}  // namespace sternpost::route

#include "service/virtual/settings.h"

namespace sternpost::virtual_mailbox {

delivery::MapSettings to_settings(const config::VirtualSlice& slice) {
  delivery::MapSettings settings;
  settings.hostname = slice.hostname;
  settings.domains = slice.domains;
  settings.virtual_domains = slice.virtual_domains;
  settings.extension_delimiter = slice.extension_delimiter;
  settings.postmaster = slice.postmaster;
  settings.system_users = slice.mailbox_source == config::MailboxSource::system;
  settings.mailboxes.reserve(slice.mailboxes.size());
  for (const auto& entry : slice.mailboxes) {
    settings.mailboxes.push_back({entry.address, entry.directory, entry.rule});
  }
  settings.mailbox_rule = slice.mailbox_rule;
  return settings;
}

}  // namespace sternpost::virtual_mailbox

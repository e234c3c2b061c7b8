#include "service/router/settings.h"

#include <utility>

namespace sternpost::router {

route::Settings to_settings(config::RouterSlice&& slice) {
  route::Settings settings;
  settings.hostname = std::move(slice.hostname);
  settings.domains = std::move(slice.domains);
  settings.relay_clients = std::move(slice.relay_clients);
  settings.extension_delimiter = std::move(slice.extension_delimiter);
  settings.system_users = slice.mailbox_source == config::MailboxSource::system;
  settings.mailboxes.reserve(slice.mailboxes.size());
  for (auto& entry : slice.mailboxes) {
    settings.mailboxes.push_back(
        {std::move(entry.address), std::move(entry.directory), std::move(entry.rule)});
  }
  settings.domains_rule = std::move(slice.domains_rule);
  settings.relay_clients_rule = std::move(slice.relay_clients_rule);
  settings.mailbox_rule = std::move(slice.mailbox_rule);
  settings.postmaster_rule = std::move(slice.postmaster_rule);
  return settings;
}

}  // namespace sternpost::router

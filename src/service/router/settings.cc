#include "service/router/settings.h"

#include <utility>

namespace sternpost::router {

route::Settings to_settings(config::RouterSlice&& slice) {
  route::Settings settings;
  settings.hostname = std::move(slice.hostname);
  settings.domains = std::move(slice.domains);
  settings.virtual_domains = std::move(slice.virtual_domains);
  settings.relay_domains = std::move(slice.relay_domains);
  for (auto& entry : slice.routes) {
    auto hop = route::parse_next_hop(entry.next_hop);
    if (!hop) continue;  // config let no other pass
    settings.routes.push_back(
        {std::move(entry.pattern), std::move(*hop), std::move(entry.sources), std::move(entry.rule)});
  }
  settings.sources = std::move(slice.sources);
  settings.mx_port = slice.mx_port;
  settings.relay_domains_rule = std::move(slice.relay_domains_rule);
  settings.list_rule = std::move(slice.list_rule);
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

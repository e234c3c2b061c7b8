#include "route/router.h"

#include <algorithm>

#include "mail/extension.h"

namespace sternpost::route {
namespace {

constexpr std::size_t kMaxUserName = 64;
constexpr std::string_view kPostmaster = "postmaster";

Ruling to_virtual(const Rule& rule) {
  return {{250, {2, 1, 5}, "recipient ok"}, rule, std::string(kVirtualSite)};
}

Ruling refusal(mail::EnhancedStatus status, std::string text, const Rule& rule) {
  return {{550, status, std::move(text)}, rule, {}};
}

Ruling no_mailbox(const Rule& rule) {
  return refusal({5, 1, 1}, "no such mailbox here", rule);
}

}  // namespace

bool is_user_name(std::string_view name) {
  auto is_word = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  auto is_inner = [&](char c) { return is_word(c) || c == '-' || c == '.'; };
  return !name.empty() && name.size() <= kMaxUserName && is_word(name.front()) &&
         std::all_of(name.begin(), name.end(), is_inner);
}

Result<Router> Router::make(Settings settings) {
  Router router;
  settings.hostname = mail::fold_case(settings.hostname);
  for (const auto& domain : settings.domains) router.domains_.insert(mail::fold_case(domain));
  for (const auto& text : settings.relay_clients) {
    const auto network = Network::parse(text);
    if (!network) return fail(ErrorClass::permanent, "relay client \"" + text + "\" is no network");
    router.relay_clients_.push_back(*network);
  }
  router.table_ = MailboxTable(std::move(settings.mailboxes), settings.extension_delimiter);
  router.settings_ = std::move(settings);
  return router;
}

bool Router::is_ours(const mail::Domain& domain) const {
  return domains_.contains(domain.to_wire());
}

bool Router::is_postmaster(const mail::Mailbox& recipient) const {
  // RFC 5321 section 4.5.1: at every domain of ours, and without any domain.
  const auto& domain = recipient.domain().to_wire();
  if (!domain.empty() && domain != settings_.hostname && !is_ours(recipient.domain())) return false;
  const auto local = mail::fold_case(recipient.local_part());
  return local == kPostmaster || mail::without_extension(local, settings_.extension_delimiter) == kPostmaster;
}

bool Router::may_relay(std::string_view client_address) const {
  const auto address = IpAddress::parse(client_address);
  return address && std::any_of(relay_clients_.begin(), relay_clients_.end(),
                                [&](const Network& network) { return network.contains(*address); });
}

Decision Router::verify(std::string_view client_address, const mail::Mailbox& recipient,
                        const KnownUsers& known) const {
  if (is_postmaster(recipient)) return to_virtual(settings_.postmaster_rule);
  if (is_ours(recipient.domain())) return find_mailbox(recipient, known);
  if (!may_relay(client_address)) return refusal({5, 7, 1}, "relaying denied", settings_.relay_clients_rule);
  return refusal({5, 4, 4}, "this server delivers only to its own domains", settings_.domains_rule);
}

Decision Router::route(const mail::Mailbox& recipient, const KnownUsers& known) const {
  if (is_postmaster(recipient)) return to_virtual(settings_.postmaster_rule);
  if (is_ours(recipient.domain())) return find_mailbox(recipient, known);
  return refusal({5, 4, 4}, "this server delivers only to its own domains", settings_.domains_rule);
}

Decision Router::find_mailbox(const mail::Mailbox& recipient, const KnownUsers& known) const {
  if (settings_.system_users) return find_system_user(recipient, known);
  const auto* listed = table_.find(recipient.local_part(), recipient.domain().to_wire());
  if (listed == nullptr) return no_mailbox(settings_.mailbox_rule);
  return to_virtual(listed->rule);
}

Decision Router::find_system_user(const mail::Mailbox& recipient, const KnownUsers& known) const {
  // Only the part before the extension is looked up: the agent derives the directory from the address alone,
  // and must come to the same user.
  auto name = mail::fold_case(recipient.local_part());
  if (const auto base = mail::without_extension(name, settings_.extension_delimiter))
    name.resize(base->size());
  if (!is_user_name(name)) return no_mailbox(settings_.mailbox_rule);
  const auto at =
      std::find_if(known.begin(), known.end(), [&](const auto& user) { return user.first == name; });
  if (at == known.end()) return NeedUser{std::move(name)};
  switch (at->second) {
    case UserState::exists:
      return to_virtual(settings_.mailbox_rule);
    case UserState::unknown:
      return no_mailbox(settings_.mailbox_rule);
    case UserState::unavailable:
      break;
  }
  return Ruling{{451, {4, 3, 0}, "the user database is not available"}, settings_.mailbox_rule, {}};
}

}  // namespace sternpost::route

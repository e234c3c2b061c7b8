#include "route/router.h"

#include <algorithm>

#include "mail/extension.h"
#include "route/host_port.h"

namespace sternpost::route {
namespace {

constexpr std::size_t kMaxUserName = 64;
constexpr std::string_view kPostmaster = "postmaster";

Ruling to_virtual(const Rule& rule) {
  return {{250, {2, 1, 5}, "recipient ok"}, rule, std::string(kVirtualSite)};
}

Ruling to_site(const Site& site, const Rule& rule) {
  return {{250, {2, 1, 5}, "recipient ok"}, rule, to_string(site), Agent::smtp};
}

/// May be taken from a client: where it goes is decided when it is routed.
Ruling taken(const Rule& rule) {
  return {{250, {2, 1, 5}, "recipient ok"}, rule};
}

/// A next hop that needs no DNS to be known.
Site site_of(const NextHop& hop, const std::vector<std::string>& sources) {
  Site site;
  site.protocol = hop.protocol;
  site.kind = hop.kind == NextHop::Kind::local ? SiteKind::local : SiteKind::host;
  site.hosts.push_back({0, hop.name, hop.port});
  if (site.kind != SiteKind::local) site.sources = sources;
  return site;
}

std::unordered_set<std::string> folded(const std::vector<std::string>& names) {
  std::unordered_set<std::string> set;
  for (const auto& name : names) set.insert(mail::fold_case(name));
  return set;
}

Ruling refusal(mail::EnhancedStatus status, std::string text, const Rule& rule) {
  return {{550, status, std::move(text)}, rule};
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
  router.domains_ = folded(settings.domains);
  router.virtual_domains_ = folded(settings.virtual_domains);
  router.relay_domains_ = folded(settings.relay_domains);
  for (const auto& text : settings.relay_clients) {
    const auto network = Network::parse(text);
    if (!network) return fail(ErrorClass::permanent, "relay client \"" + text + "\" is no network");
    router.relay_clients_.push_back(*network);
  }
  router.table_ = MailboxTable(std::move(settings.mailboxes), settings.extension_delimiter);
  router.routes_ = RouteTable(std::move(settings.routes));
  router.settings_ = std::move(settings);
  return router;
}

bool Router::is_ours(const mail::Domain& domain) const {
  return domains_.contains(domain.to_wire()) || virtual_domains_.contains(domain.to_wire());
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
                        const Known& known) const {
  if (is_postmaster(recipient)) return to_virtual(settings_.postmaster_rule);
  if (is_ours(recipient.domain())) return find_mailbox(recipient, known);
  if (relay_domains_.contains(recipient.domain().to_wire())) return taken(settings_.relay_domains_rule);
  if (may_relay(client_address)) return taken(settings_.relay_clients_rule);
  return refusal({5, 7, 1}, "relaying denied", settings_.relay_clients_rule);
}

Decision Router::route(const mail::Mailbox& recipient, const Known& known) const {
  if (is_postmaster(recipient)) return to_virtual(settings_.postmaster_rule);
  if (is_ours(recipient.domain())) return find_mailbox(recipient, known);
  return route_onward(recipient.domain(), known);
}

Decision Router::route_onward(const mail::Domain& domain, const Known& known) const {
  const auto& name = domain.to_wire();
  if (const auto* route = routes_.find(name)) {
    const auto& sources = route->sources.empty() ? settings_.sources : route->sources;
    const auto& hop = route->next_hop;
    if (hop.kind != NextHop::Kind::mx) return to_site(site_of(hop, sources), route->rule);
    return by_mx({hop.name, hop.port, settings_.hostname, sources, route->rule.name}, route->rule, known);
  }
  if (domain.is_literal()) {
    const auto address = normalize_ip(std::string_view(name).substr(1, name.size() - 2));
    if (!address) return refusal({5, 1, 2}, "bad address literal", {"RFC 5321 4.1.3", {}, 0});
    const NextHop hop{SiteProtocol::smtp, NextHop::Kind::host, *address, settings_.mx_port};
    return to_site(site_of(hop, settings_.sources), {"RFC 5321 4.1.3", {}, 0});
  }
  return by_mx({name, settings_.mx_port, settings_.hostname, settings_.sources, {}}, {"RFC 5321 5.1", {}, 0},
               known);
}

Decision Router::by_mx(const MxQuestion& question, const Rule& rule, const Known& known) {
  const auto at = std::find_if(known.mx.begin(), known.mx.end(),
                               [&](const auto& one) { return one.first == question.domain; });
  if (at == known.mx.end()) return NeedMx{std::string(question.domain)};
  auto site = site_of_mx(question, at->second);
  if (!site) return Ruling{std::move(site.error()), rule};
  return to_site(*site, rule);
}

Decision Router::find_mailbox(const mail::Mailbox& recipient, const Known& known) const {
  if (virtual_domains_.contains(recipient.domain().to_wire())) {
    return find_listed(recipient, settings_.list_rule);
  }
  if (settings_.system_users) return find_system_user(recipient, known);
  return find_listed(recipient, settings_.mailbox_rule);
}

Decision Router::find_listed(const mail::Mailbox& recipient, const Rule& rule) const {
  const auto* listed = table_.find(recipient.local_part(), recipient.domain().to_wire());
  if (listed == nullptr) return no_mailbox(rule);
  return to_virtual(listed->rule);
}

Decision Router::find_system_user(const mail::Mailbox& recipient, const Known& known) const {
  // Only the part before the extension is looked up: the agent derives the directory from the address alone,
  // and must come to the same user.
  auto name = mail::fold_case(recipient.local_part());
  if (const auto base = mail::without_extension(name, settings_.extension_delimiter))
    name.resize(base->size());
  if (!is_user_name(name)) return no_mailbox(settings_.mailbox_rule);
  const auto at = std::find_if(known.users.begin(), known.users.end(),
                               [&](const auto& user) { return user.first == name; });
  if (at == known.users.end()) return NeedUser{std::move(name)};
  switch (at->second) {
    case UserState::exists:
      return to_virtual(settings_.mailbox_rule);
    case UserState::unknown:
      return no_mailbox(settings_.mailbox_rule);
    case UserState::unavailable:
      break;
  }
  return Ruling{{451, {4, 3, 0}, "the user database is not available"}, settings_.mailbox_rule};
}

}  // namespace sternpost::route

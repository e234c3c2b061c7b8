#include "route/mx.h"

#include <fmt/format.h>

#include <algorithm>

#include "route/host_port.h"

namespace sternpost::route {
namespace {

std::unexpected<mail::Reply> no_site(mail::ReplyCode code, mail::EnhancedStatus status, std::string text) {
  return std::unexpected(mail::Reply{code, status, std::move(text)});
}

/// The DNS says for good that the domain is no place for mail. A next hop is the administrator's mistake,
/// which must not cost the mail of others.
std::unexpected<mail::Reply> no_place(const MxQuestion& question, mail::ReplyCode code,
                                      mail::EnhancedStatus status, std::string text) {
  if (question.next_hop_of.empty()) return no_site(code, status, std::move(text));
  return no_site(
      451, {4, 4, 4},
      fmt::format("{}, the next hop that {} names: {}", question.domain, question.next_hop_of, text));
}

Site site_of(const MxQuestion& question, SiteKind kind, bool secure) {
  Site site;
  site.kind = kind;
  site.secure = secure;
  site.routed = !question.next_hop_of.empty();
  site.sources = question.sources;
  return site;
}

/// Usable hosts by preference and name. A name in several records counts with its best preference.
std::vector<SiteHost> usable_hosts(const MxQuestion& question, const MxAnswer& answer) {
  std::vector<SiteHost> hosts;
  for (const auto& mx : answer.hosts) {
    // An address in place of a name is against RFC 5321 section 5.1, and is never a host name.
    const auto name = normalize_found_host(mx.name);
    if (!name || normalize_ip(*name)) continue;
    hosts.push_back({mx.preference, *name, question.port});
  }
  std::ranges::sort(hosts, [](const SiteHost& a, const SiteHost& b) {
    return std::pair(a.preference, std::string_view(a.name)) <
           std::pair(b.preference, std::string_view(b.name));
  });
  std::vector<SiteHost> unique;
  for (auto& host : hosts) {
    if (std::ranges::find(unique, host.name, &SiteHost::name) == unique.end())
      unique.push_back(std::move(host));
  }
  return unique;
}

std::expected<Site, mail::Reply> site_of_hosts(const MxQuestion& question, const MxAnswer& answer) {
  const bool null_mx = answer.hosts.size() == 1 && answer.hosts.front().name.empty();
  if (null_mx) {
    return no_place(question, 556, {5, 1, 10},
                    fmt::format("the domain {} takes no mail (null MX)", question.domain));
  }
  auto site = site_of(question, SiteKind::mx, answer.secure);
  site.hosts = usable_hosts(question, answer);
  if (site.hosts.empty()) {
    return no_place(question, 550, {5, 4, 4},
                    fmt::format("no MX record of {} names a host", question.domain));
  }
  const auto own = std::ranges::find(site.hosts, question.own_name, &SiteHost::name);
  if (own != site.hosts.end()) {
    const auto preference = own->preference;
    std::erase_if(site.hosts, [&](const SiteHost& host) { return host.preference >= preference; });
  }
  if (site.hosts.empty()) {
    return no_site(554, {5, 4, 6},
                   fmt::format("mail for {} loops back to {}: the DNS sends it here, and it is none of the "
                               "domains here",
                               question.domain, question.own_name));
  }
  if (site.hosts.size() > kMaxSiteHosts) site.hosts.resize(kMaxSiteHosts);
  return site;
}

}  // namespace

std::expected<Site, mail::Reply> site_of_mx(const MxQuestion& question, const MxAnswer& answer) {
  switch (answer.outcome) {
    case LookupOutcome::found:
      return site_of_hosts(question, answer);
    case LookupOutcome::no_data: {
      auto site = site_of(question, SiteKind::implicit, answer.secure);
      site.hosts.push_back({0, std::string(question.domain), question.port});
      return site;
    }
    case LookupOutcome::no_name:
      return no_place(question, 550, {5, 1, 2}, fmt::format("there is no domain {}", question.domain));
    case LookupOutcome::bogus:
      return no_site(451, {4, 7, 5},
                     fmt::format("what the DNS says of {} is forged: {}", question.domain, answer.why));
    case LookupOutcome::unavailable:
      break;
  }
  return no_site(451, {4, 4, 3},
                 fmt::format("the DNS does not answer for {}: {}", question.domain, answer.why));
}

}  // namespace sternpost::route

#include "delivery/mailbox_map.h"

#include <algorithm>
#include <utility>

#include "mail/extension.h"
#include "route/router.h"

namespace sternpost::delivery {
namespace {

constexpr std::size_t kMaxName = 255;  // NAME_MAX of Linux
constexpr std::size_t kMaxDepth = 16;
constexpr std::string_view kPostmaster = "postmaster";

std::optional<MailboxFolder> folder_of(const route::ListedMailbox* listed) {
  if (listed == nullptr || !split_path(listed->directory)) return std::nullopt;
  return MailboxFolder{listed->directory, listed->rule};
}

}  // namespace

bool is_safe_component(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName && name.front() != '.' &&
         name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

std::optional<std::vector<std::string>> split_path(std::string_view path) {
  std::vector<std::string> components;
  while (true) {
    const auto slash = path.find('/');
    const auto component = path.substr(0, slash);
    if (!is_safe_component(component) || components.size() == kMaxDepth) return std::nullopt;
    components.emplace_back(component);
    if (slash == std::string_view::npos) return components;
    path.remove_prefix(slash + 1);
  }
}

MailboxMap::MailboxMap(MapSettings settings) : settings_(std::move(settings)) {
  table_ = route::MailboxTable(std::move(settings_.mailboxes), settings_.extension_delimiter);
  settings_.hostname = mail::fold_case(settings_.hostname);
  settings_.postmaster = mail::fold_case(settings_.postmaster);
  for (auto& domain : settings_.domains) domain = mail::fold_case(domain);
  for (auto& domain : settings_.virtual_domains) domain = mail::fold_case(domain);
}

bool MailboxMap::is_ours(std::string_view domain) const {
  return std::find(settings_.domains.begin(), settings_.domains.end(), domain) != settings_.domains.end();
}

/// Whether the mailboxes of a domain of ours are those that the table names.
bool MailboxMap::is_listed(std::string_view domain) const {
  const auto& listed = settings_.virtual_domains;
  return !settings_.system_users || std::find(listed.begin(), listed.end(), domain) != listed.end();
}

std::optional<MailboxFolder> MailboxMap::find(const mail::Mailbox& recipient) const {
  const auto& domain = recipient.domain().to_wire();
  const auto whole = mail::fold_case(recipient.local_part());
  const auto base = mail::without_extension(whole, settings_.extension_delimiter);
  const bool ours = is_ours(domain);
  if ((whole == kPostmaster || base == kPostmaster) &&
      (ours || domain.empty() || domain == settings_.hostname)) {
    return postmaster(domain);
  }
  if (!ours) return std::nullopt;
  if (is_listed(domain)) return folder_of(table_.find(whole, domain));
  const auto user = base ? *base : std::string_view(whole);
  if (!route::is_user_name(user)) return std::nullopt;
  return MailboxFolder{std::string(user), settings_.mailbox_rule};
}

std::optional<MailboxFolder> MailboxMap::postmaster(std::string_view domain) const {
  if (is_ours(domain) && is_listed(domain)) {
    if (auto folder = listed_postmaster(domain)) return folder;
  }
  if (!settings_.system_users) {
    for (const auto& other : settings_.domains) {
      if (auto folder = listed_postmaster(other)) return folder;
    }
  }
  // Mail for postmaster was accepted without a look at the mailboxes, so it always has a folder.
  const bool safe = is_safe_component(settings_.postmaster);
  return MailboxFolder{safe ? settings_.postmaster : std::string(kPostmaster), settings_.mailbox_rule};
}

std::optional<MailboxFolder> MailboxMap::listed_postmaster(std::string_view domain) const {
  // A mailbox that names postmaster wins over the configured user, and that one over "@domain".
  const auto* named = table_.find(kPostmaster, domain);
  if (named != nullptr && !named->address.starts_with('@')) return folder_of(named);
  return folder_of(table_.find(settings_.postmaster, domain));
}

}  // namespace sternpost::delivery

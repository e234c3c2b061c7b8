// Which folder a recipient's mail goes to.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/rule.h"
#include "mail/address.h"
#include "route/mailbox_table.h"

namespace sternpost::delivery {

/// True for what may name a directory entry: 1 to 255 octets, no '/', no NUL, no '.' at the beginning.
bool is_safe_component(std::string_view name);

/// The components of a relative path, or nothing where one of them is not safe or there are more than 16.
std::optional<std::vector<std::string>> split_path(std::string_view path);

struct MapSettings {
  std::string hostname;
  std::vector<std::string> domains;
  std::string extension_delimiter;
  std::string postmaster;  ///< the user part that postmaster's mail goes to
  bool system_users = true;
  std::vector<std::string> virtual_domains;  ///< those of `domains` whose mailboxes are listed in any case
  std::vector<route::ListedMailbox> mailboxes;
  Rule mailbox_rule;
};

struct MailboxFolder {
  std::string path;  ///< below the mail folder; split_path takes it
  Rule rule;
};

/// Comes to the same mailboxes as route::Router: what the one accepts the other has a folder for.
class MailboxMap {
 public:
  explicit MailboxMap(MapSettings settings);

  /// Nothing where there is no such mailbox (any more).
  [[nodiscard]] std::optional<MailboxFolder> find(const mail::Mailbox& recipient) const;

 private:
  [[nodiscard]] bool is_ours(std::string_view domain) const;
  [[nodiscard]] bool is_listed(std::string_view domain) const;
  [[nodiscard]] std::optional<MailboxFolder> postmaster(std::string_view domain) const;
  [[nodiscard]] std::optional<MailboxFolder> listed_postmaster(std::string_view domain) const;

  MapSettings settings_;
  route::MailboxTable table_;
};

}  // namespace sternpost::delivery

// Whether a recipient may be accepted, and where it goes: pure decisions over the tables.
//
// What the tables do not hold, the users of the system, is asked for with NeedUser: the caller finds out and
// decides again with the answer among the KnownUsers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/rule.h"
#include "mail/address.h"
#include "mail/status.h"
#include "route/mailbox_table.h"
#include "route/network.h"

namespace sternpost::route {

/// The names of system users that may be asked for: at most 64 octets of lower-case letters, digits, '-',
/// '_' and '.', beginning with a letter, digit or '_'. No other name is a user.
bool is_user_name(std::string_view name);

/// Lists as the configuration has them. Names are taken without regard to case.
struct Settings {
  std::string hostname;
  std::vector<std::string> domains;
  std::vector<std::string> relay_clients;
  std::string extension_delimiter;
  bool system_users = true;  ///< mailboxes are those of the system's users, else those listed
  std::vector<ListedMailbox> mailboxes;
  Rule domains_rule, relay_clients_rule, mailbox_rule, postmaster_rule;
};

enum class UserState : unsigned char { exists, unknown, unavailable };

using KnownUsers = std::vector<std::pair<std::string, UserState>>;

/// Decide again when it is known whether this user of the system exists.
struct NeedUser {
  std::string name;
};

/// A decision and the rule that made it: 250 is yes, 4xx not now, 5xx no. Yes means agent virtual at `site`.
struct Ruling {
  mail::Reply reply;
  Rule rule;
  std::string site;
};

using Decision = std::variant<Ruling, NeedUser>;

/// The site of all mailboxes that the agent virtual delivers to: one disk, one set of limits.
inline constexpr std::string_view kVirtualSite = "virtual";

class Router {
 public:
  /// Fails, as permanent, where a relay client is no network.
  static Result<Router> make(Settings settings);

  /// May a client at `client_address` (textual) give us mail for `recipient`? Mail for other domains is
  /// refused to everyone as long as nothing carries it there; relay clients are told another reason than
  /// strangers.
  [[nodiscard]] Decision verify(std::string_view client_address, const mail::Mailbox& recipient,
                                const KnownUsers& known) const;

  /// Where does this accepted recipient go? A mailbox that is gone since is a permanent failure.
  [[nodiscard]] Decision route(const mail::Mailbox& recipient, const KnownUsers& known) const;

 private:
  Router() = default;

  [[nodiscard]] bool is_ours(const mail::Domain& domain) const;
  [[nodiscard]] bool is_postmaster(const mail::Mailbox& recipient) const;
  [[nodiscard]] bool may_relay(std::string_view client_address) const;
  [[nodiscard]] Decision find_mailbox(const mail::Mailbox& recipient, const KnownUsers& known) const;
  [[nodiscard]] Decision find_system_user(const mail::Mailbox& recipient, const KnownUsers& known) const;

  Settings settings_;
  std::unordered_set<std::string> domains_;
  std::vector<Network> relay_clients_;
  MailboxTable table_;
};

}  // namespace sternpost::route

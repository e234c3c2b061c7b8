// Whether a recipient may be accepted, and where it goes: pure decisions over the tables.
//
// What the tables do not hold, the users of the system and what the DNS says, is asked for with NeedUser and
// NeedMx: the caller finds out and decides again with the answer among what is Known.
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
#include "route/mx.h"
#include "route/network.h"
#include "route/route_table.h"

namespace sternpost::route {

/// The names of system users that may be asked for: at most 64 octets of lower-case letters, digits, '-',
/// '_' and '.', beginning with a letter, digit or '_'. No other name is a user.
bool is_user_name(std::string_view name);

/// Lists as the configuration has them. Names are taken without regard to case.
struct Settings {
  std::string hostname;
  std::vector<std::string> domains;          ///< whose mailboxes are here
  std::vector<std::string> virtual_domains;  ///< the same, with mailboxes that are listed in every case
  std::vector<std::string> relay_domains;    ///< whose mail is taken from everybody and handed on
  std::vector<std::string> relay_clients;
  std::vector<Route> routes;
  std::vector<std::string> sources;  ///< of connections where no route names others; see Site::sources
  std::uint16_t mx_port = 25;
  std::string extension_delimiter;
  bool system_users = true;  ///< mailboxes are those of the system's users, else those listed
  std::vector<ListedMailbox> mailboxes;
  Rule domains_rule, relay_domains_rule, relay_clients_rule, mailbox_rule, list_rule, postmaster_rule;
};

enum class UserState : unsigned char { exists, unknown, unavailable };

/// What was found out for one question so far, by name.
struct Known {
  std::vector<std::pair<std::string, UserState>> users;
  std::vector<std::pair<std::string, MxAnswer>> mx;
};

/// Decide again when it is known whether this user of the system exists.
struct NeedUser {
  std::string name;
};

/// Decide again when it is known what MX records this domain has.
struct NeedMx {
  std::string domain;
};

/// Which kind of agent takes a recipient.
enum class Agent : unsigned char { virtual_mailbox, smtp };

/// A decision and the rule that made it: 250 is yes, 4xx not now, 5xx no. Of a route, yes means `agent` at
/// `site`.
struct Ruling {
  mail::Reply reply;
  Rule rule;
  std::string site = {};
  Agent agent = Agent::virtual_mailbox;
};

using Decision = std::variant<Ruling, NeedUser, NeedMx>;

/// The site of all mailboxes that the agent virtual delivers to: one disk, one set of limits.
inline constexpr std::string_view kVirtualSite = "virtual";

class Router {
 public:
  /// Fails, as permanent, where a relay client is no network.
  static Result<Router> make(Settings settings);

  /// May a client at `client_address` (textual) give us mail for `recipient`? Strangers may for our domains
  /// and for relay_domains, relay_clients for all.
  [[nodiscard]] Decision verify(std::string_view client_address, const mail::Mailbox& recipient,
                                const Known& known) const;

  /// Where does this accepted recipient go? A mailbox that is gone since is a permanent failure.
  [[nodiscard]] Decision route(const mail::Mailbox& recipient, const Known& known) const;

 private:
  Router() = default;

  [[nodiscard]] bool is_ours(const mail::Domain& domain) const;
  [[nodiscard]] bool is_postmaster(const mail::Mailbox& recipient) const;
  [[nodiscard]] bool may_relay(std::string_view client_address) const;
  [[nodiscard]] Decision find_mailbox(const mail::Mailbox& recipient, const Known& known) const;
  [[nodiscard]] Decision find_system_user(const mail::Mailbox& recipient, const Known& known) const;
  [[nodiscard]] Decision find_listed(const mail::Mailbox& recipient, const Rule& rule) const;
  [[nodiscard]] Decision route_onward(const mail::Domain& domain, const Known& known) const;
  [[nodiscard]] static Decision by_mx(const MxQuestion& question, const Rule& rule, const Known& known);

  Settings settings_;
  std::unordered_set<std::string> domains_, virtual_domains_, relay_domains_;
  std::vector<Network> relay_clients_;
  MailboxTable table_;
  RouteTable routes_;
};

}  // namespace sternpost::route

// What each compartment is told of the configuration: its slice and nothing more. Made from the registry's
// values by make_slices, encoded, sealed, and handed over by master.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "base/codec.h"
#include "base/rule.h"
#include "protocol/smtp/server_limits.h"

namespace sternpost::config {

/// What a message may grow by on its way into the queue: the trace field that an intake puts on top, and
/// slack.
inline constexpr std::uint64_t kTraceAllowance = 4 * 1024;
/// The most content that stands in the record of a message; longer content is a file of its own.
inline constexpr std::uint64_t kInlineContent = 64 * 1024;

struct Listener {
  std::string address;  ///< IPv4 or IPv6, without brackets
  std::uint16_t port = 0;
  bool operator==(const Listener&) const = default;
  static constexpr auto fields() { return std::tuple(&Listener::address, &Listener::port); }
};

/// All paths are absolute. Empty user and group names mean a uid of the plan's own range.
struct MasterSlice {
  std::vector<Listener> smtp_listen;
  std::uint32_t smtpd_workers = 0;  ///< 0: one for each core
  std::string state_directory;
  std::string mail_directory;
  std::string deferred_directory;  ///< STATE/spool where the deferred log has no folder of its own
  std::string mail_owner;          ///< user name or uid that owns the Maildirs; empty: virtual's own uid
  std::string control_group;       ///< group name or gid that may use the control socket; empty: root only
  std::uint32_t uid_base = 0;
  bool weaker_sandbox = false;
  std::uint32_t restart_delay_ms = 0;      ///< wait before a compartment that keeps ending is started again
  std::uint32_t drain_seconds = 0;         ///< after this, what still runs at stop is killed
  std::string trust_anchor;                ///< the file of DNSSEC's keys, for dns
  std::vector<std::uint16_t> dns_ports;    ///< TCP ports that dns connects to, each once
  std::vector<std::uint16_t> smtp_ports;   ///< TCP ports that smtp connects to, each once
  std::vector<std::string> local_sockets;  ///< Unix-domain sockets that smtp may have connected
  bool operator==(const MasterSlice&) const = default;
  static constexpr auto fields() {
    return std::tuple(&MasterSlice::smtp_listen, &MasterSlice::smtpd_workers, &MasterSlice::state_directory,
                      &MasterSlice::mail_directory, &MasterSlice::deferred_directory,
                      &MasterSlice::mail_owner, &MasterSlice::control_group, &MasterSlice::uid_base,
                      &MasterSlice::weaker_sandbox, &MasterSlice::restart_delay_ms,
                      &MasterSlice::drain_seconds, &MasterSlice::trust_anchor, &MasterSlice::dns_ports,
                      &MasterSlice::smtp_ports, &MasterSlice::local_sockets);
  }
};

struct SmtpdSlice {
  std::string hostname;
  std::uint64_t max_message_bytes = 0;
  std::uint32_t max_recipients = 0;           ///< a message
  std::uint32_t max_command_line = 0;         ///< octets with CRLF
  std::uint32_t max_text_line = 0;            ///< octets with CRLF
  std::uint32_t max_commands = 0;             ///< a session
  std::uint32_t max_errors = 0;               ///< a session
  std::uint32_t max_messages = 0;             ///< a session
  std::uint32_t max_hops = 0;                 ///< Received fields
  std::uint32_t command_seconds = 0;          ///< idle wait for a command
  std::uint32_t data_seconds = 0;             ///< idle wait within the content
  std::uint32_t session_seconds = 0;          ///< a whole session
  std::uint32_t max_sessions = 0;             ///< a worker
  std::uint32_t max_sessions_per_client = 0;  ///< a worker
  std::uint32_t retire_sessions = 0;          ///< a worker is renewed after serving so many
  std::uint32_t retire_seconds = 0;           ///< or after so long
  bool normalize = false;                     ///< accept bare LF as a line end (never for CRLF.CRLF's sake)
  bool hold = false;                          ///< all new mail is committed in the state *held*
  smtp::ServerRules rules;
  Rule sessions_rule, sessions_per_client_rule, hold_rule;
  bool operator==(const SmtpdSlice&) const = default;
  static constexpr auto fields() {
    return std::tuple(&SmtpdSlice::hostname, &SmtpdSlice::max_message_bytes, &SmtpdSlice::max_recipients,
                      &SmtpdSlice::max_command_line, &SmtpdSlice::max_text_line, &SmtpdSlice::max_commands,
                      &SmtpdSlice::max_errors, &SmtpdSlice::max_messages, &SmtpdSlice::max_hops,
                      &SmtpdSlice::command_seconds, &SmtpdSlice::data_seconds, &SmtpdSlice::session_seconds,
                      &SmtpdSlice::max_sessions, &SmtpdSlice::max_sessions_per_client,
                      &SmtpdSlice::retire_sessions, &SmtpdSlice::retire_seconds, &SmtpdSlice::normalize,
                      &SmtpdSlice::hold, &SmtpdSlice::rules, &SmtpdSlice::sessions_rule,
                      &SmtpdSlice::sessions_per_client_rule, &SmtpdSlice::hold_rule);
  }
};

struct SpoolSlice {
  std::uint64_t segment_bytes = 0;
  std::uint32_t spare_segments = 0;
  std::uint64_t max_message_bytes = 0;
  std::uint64_t max_spool_bytes = 0;
  std::uint64_t min_free_bytes = 0;
  std::uint64_t max_buffered_bytes = 0;   ///< content not written to its file yet, all intakes together
  std::uint64_t notice_header_bytes = 0;  ///< of a message, for who writes the notice about it
  bool own_deferred_folder = false;
  bool operator==(const SpoolSlice&) const = default;
  static constexpr auto fields() {
    return std::tuple(&SpoolSlice::segment_bytes, &SpoolSlice::spare_segments, &SpoolSlice::max_message_bytes,
                      &SpoolSlice::max_spool_bytes, &SpoolSlice::min_free_bytes,
                      &SpoolSlice::max_buffered_bytes, &SpoolSlice::notice_header_bytes,
                      &SpoolSlice::own_deferred_folder);
  }
};

struct QmgrSlice {
  std::uint32_t max_active_messages = 0;
  std::uint32_t site_concurrency = 0;       ///< jobs in hand at one site
  std::uint32_t smtp_site_concurrency = 0;  ///< the same of the agent smtp
  std::uint32_t retry_min_seconds = 0;
  std::uint32_t retry_max_seconds = 0;
  std::uint32_t expire_seconds = 0;    ///< age at which a deferral becomes a failure
  std::uint32_t warn_seconds = 0;      ///< age at which the sender is told that it is late; 0: never
  std::uint64_t max_backlog = 0;       ///< messages that wait for their first attempt
  std::uint32_t max_lag_seconds = 0;   ///< how long such a message waits
  std::uint64_t max_memory_bytes = 0;  ///< of what is kept of messages in memory
  Rule expire_rule;
  bool operator==(const QmgrSlice&) const = default;
  static constexpr auto fields() {
    return std::tuple(&QmgrSlice::max_active_messages, &QmgrSlice::site_concurrency,
                      &QmgrSlice::smtp_site_concurrency, &QmgrSlice::retry_min_seconds,
                      &QmgrSlice::retry_max_seconds, &QmgrSlice::expire_seconds, &QmgrSlice::warn_seconds,
                      &QmgrSlice::max_backlog, &QmgrSlice::max_lag_seconds, &QmgrSlice::max_memory_bytes,
                      &QmgrSlice::expire_rule);
  }
};

/// Where the users of our domains come from.
enum class MailboxSource : unsigned char {
  list,    ///< the table [mailboxes]
  system,  ///< every user of the system with uid at least first_uid has one directory
};

struct MailboxEntry {
  std::string address;  ///< "user@domain", lower case; "@domain" takes every user of the domain
  std::string
      directory;  ///< below the mail directory: "example.org/user/Maildir"; checked, relative, no ".."
  Rule rule;
  bool operator==(const MailboxEntry&) const = default;
  static constexpr auto fields() {
    return std::tuple(&MailboxEntry::address, &MailboxEntry::directory, &MailboxEntry::rule);
  }
};

struct RouteEntry {
  std::string pattern;   ///< "example.org", ".example.org" or "*"
  std::string next_hop;  ///< route::parse_next_hop takes it
  std::vector<std::string> sources;
  Rule rule;
  bool operator==(const RouteEntry&) const = default;
  static constexpr auto fields() {
    return std::tuple(&RouteEntry::pattern, &RouteEntry::next_hop, &RouteEntry::sources, &RouteEntry::rule);
  }
};

struct RouterSlice {
  std::string hostname;
  std::vector<std::string> domains;
  std::vector<std::string> virtual_domains;
  std::vector<std::string> relay_domains;
  std::vector<RouteEntry> routes;    ///< the smarthost is among them, last
  std::vector<std::string> sources;  ///< IP addresses that connections come from
  std::uint16_t mx_port = 0;
  std::vector<std::string> relay_clients;  ///< networks that may relay: "127.0.0.0/8", "::1/128"
  std::string extension_delimiter;         ///< one character, or empty for none
  MailboxSource mailbox_source = MailboxSource::system;
  std::vector<MailboxEntry> mailboxes;
  std::string postmaster;  ///< user part that <postmaster> and postmaster@domain go to
  Rule domains_rule, relay_domains_rule, relay_clients_rule, mailbox_rule, list_rule, postmaster_rule;
  bool operator==(const RouterSlice&) const = default;
  static constexpr auto fields() {
    return std::tuple(&RouterSlice::hostname, &RouterSlice::domains, &RouterSlice::virtual_domains,
                      &RouterSlice::relay_domains, &RouterSlice::routes, &RouterSlice::sources,
                      &RouterSlice::mx_port, &RouterSlice::relay_clients, &RouterSlice::extension_delimiter,
                      &RouterSlice::mailbox_source, &RouterSlice::mailboxes, &RouterSlice::postmaster,
                      &RouterSlice::domains_rule, &RouterSlice::relay_domains_rule,
                      &RouterSlice::relay_clients_rule, &RouterSlice::mailbox_rule, &RouterSlice::list_rule,
                      &RouterSlice::postmaster_rule);
  }
};

struct UsersSlice {
  std::uint32_t first_uid = 0;
  bool operator==(const UsersSlice&) const = default;
  static constexpr auto fields() { return std::tuple(&UsersSlice::first_uid); }
};

struct VirtualSlice {
  std::string hostname;
  MailboxSource mailbox_source = MailboxSource::system;
  std::vector<MailboxEntry> mailboxes;
  std::vector<std::string> domains;          ///< the virtual ones too
  std::vector<std::string> virtual_domains;  ///< their mailboxes are listed, whatever the source
  std::string extension_delimiter;
  std::string postmaster;
  std::uint32_t max_batch = 0;  ///< messages that share one pair of syncs
  Rule mailbox_rule;
  bool operator==(const VirtualSlice&) const = default;
  static constexpr auto fields() {
    return std::tuple(&VirtualSlice::hostname, &VirtualSlice::mailbox_source, &VirtualSlice::mailboxes,
                      &VirtualSlice::domains, &VirtualSlice::virtual_domains,
                      &VirtualSlice::extension_delimiter, &VirtualSlice::postmaster, &VirtualSlice::max_batch,
                      &VirtualSlice::mailbox_rule);
  }
};

struct SmtpSlice {
  std::string hostname;            ///< what EHLO says
  std::vector<Listener> own;       ///< where this server listens; other ways to it have port 0
  std::uint32_t max_sessions = 0;  ///< connections
  std::uint32_t max_messages = 0;  ///< a connection
  std::uint32_t idle_seconds = 0;  ///< a connection without work is kept for so long
  std::uint32_t connect_seconds = 0;
  std::uint32_t reply_seconds = 0;         ///< greeting, EHLO, MAIL, RCPT
  std::uint32_t data_seconds = 0;          ///< the reply to DATA
  std::uint32_t final_seconds = 0;         ///< the reply to the content
  std::vector<std::string> local_sockets;  ///< paths of Unix-domain sockets that master connects to
  Rule connect_rule;
  bool operator==(const SmtpSlice&) const = default;
  static constexpr auto fields() {
    return std::tuple(&SmtpSlice::hostname, &SmtpSlice::own, &SmtpSlice::max_sessions,
                      &SmtpSlice::max_messages, &SmtpSlice::idle_seconds, &SmtpSlice::connect_seconds,
                      &SmtpSlice::reply_seconds, &SmtpSlice::data_seconds, &SmtpSlice::final_seconds,
                      &SmtpSlice::local_sockets, &SmtpSlice::connect_rule);
  }
};

struct BounceSlice {
  std::string hostname;
  std::uint64_t max_header_bytes = 0;  ///< of the original that a notice returns
  bool operator==(const BounceSlice&) const = default;
  static constexpr auto fields() {
    return std::tuple(&BounceSlice::hostname, &BounceSlice::max_header_bytes);
  }
};

struct LogSlice {
  std::uint64_t max_file_bytes = 0;  ///< a file is rotated when it is larger
  std::uint32_t keep_files = 0;      ///< rotated files kept
  bool text = true;                  ///< write mail.log beside the history
  bool operator==(const LogSlice&) const = default;
  static constexpr auto fields() {
    return std::tuple(&LogSlice::max_file_bytes, &LogSlice::keep_files, &LogSlice::text);
  }
};

struct AdminSlice {
  std::uint32_t max_connections = 0;
  bool operator==(const AdminSlice&) const = default;
  static constexpr auto fields() { return std::tuple(&AdminSlice::max_connections); }
};

struct DnsSlice {
  std::vector<Listener> servers;  ///< recursive servers to forward to; empty: asks from the root
  std::uint64_t cache_bytes = 0;
  std::uint32_t timeout_seconds = 0;  ///< how long an asker waits
  bool operator==(const DnsSlice&) const = default;
  static constexpr auto fields() {
    return std::tuple(&DnsSlice::servers, &DnsSlice::cache_bytes, &DnsSlice::timeout_seconds);
  }
};

}  // namespace sternpost::config

namespace sternpost {
template <>
inline constexpr unsigned kEnumBound<config::MailboxSource> = 2;
}

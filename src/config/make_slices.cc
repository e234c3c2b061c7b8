#include "config/make_slices.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string_view>
#include <vector>

#include "config/network.h"
#include "route/next_hop.h"

namespace sternpost::config {
namespace {

/// All next hops that the configuration names.
std::vector<route::NextHop> next_hops(const Values& values) {
  std::vector<route::NextHop> hops;
  for (const auto& row : values.routes("routes")) {
    if (auto hop = route::parse_next_hop(row.next_hop)) hops.push_back(std::move(*hop));
  }
  if (auto hop = route::parse_next_hop(values.text("smarthost"))) hops.push_back(std::move(*hop));
  return hops;
}

std::vector<std::uint16_t> smtp_ports(const Values& values) {
  std::set<std::uint16_t> ports{static_cast<std::uint16_t>(values.number("smtp_client.mx_port"))};
  for (const auto& hop : next_hops(values)) {
    if (hop.port != 0) ports.insert(hop.port);
  }
  return {ports.begin(), ports.end()};
}

std::vector<std::string> local_sockets(const Values& values) {
  std::set<std::string> paths;
  for (const auto& hop : next_hops(values)) {
    if (hop.kind == route::NextHop::Kind::local) paths.insert(hop.name);
  }
  return {paths.begin(), paths.end()};
}

std::vector<Listener> endpoints(const Values& values, std::string_view key) {
  std::vector<Listener> all;
  for (const auto& text : values.list(key)) {
    if (auto endpoint = parse_endpoint(text)) all.push_back(std::move(*endpoint));
  }
  return all;
}

/// Where all servers are asked that there are, it is at the port of DNS.
std::vector<std::uint16_t> dns_ports(const Values& values) {
  constexpr std::uint16_t kDomain = 53;
  std::set<std::uint16_t> ports;
  for (const auto& server : endpoints(values, "dns.servers")) ports.insert(server.port);
  if (ports.empty()) ports.insert(kDomain);
  return {ports.begin(), ports.end()};
}

MasterSlice make_master(const Values& values) {
  MasterSlice slice;
  slice.smtp_listen = endpoints(values, "smtp.listen");
  slice.smtpd_workers = values.small("smtp.workers");
  slice.state_directory = values.text("state_directory");
  slice.mail_directory = values.text("mailboxes.directory");
  slice.deferred_directory = values.text("spool.deferred_directory");
  slice.mail_owner = values.text("mailboxes.owner");
  slice.control_group = values.text("admin.control_group");
  slice.uid_base = values.small("sandbox.uid_base");
  slice.weaker_sandbox = values.text("sandbox.mode") == "weaker";
  slice.restart_delay_ms = values.small("processes.restart_delay");
  slice.drain_seconds = values.small("processes.drain_timeout");
  slice.smtp_ports = smtp_ports(values);
  slice.local_sockets = local_sockets(values);
  slice.trust_anchor = values.text("dns.trust_anchor");
  slice.dns_ports = dns_ports(values);
  return slice;
}

SmtpdSlice make_smtpd(const Values& values) {
  SmtpdSlice slice;
  slice.hostname = values.text("hostname");
  slice.max_message_bytes = values.number("smtp.max_message");
  slice.max_recipients = values.small("smtp.max_recipients");
  slice.max_command_line = values.small("smtp.max_command_line");
  slice.max_text_line = values.small("smtp.max_text_line");
  slice.max_commands = values.small("smtp.max_commands");
  slice.max_errors = values.small("smtp.max_errors");
  slice.max_messages = values.small("smtp.max_messages");
  slice.max_hops = values.small("smtp.max_hops");
  slice.command_seconds = values.small("smtp.command_timeout");
  slice.data_seconds = values.small("smtp.data_timeout");
  slice.session_seconds = values.small("smtp.session_timeout");
  slice.max_sessions = values.small("smtp.max_sessions");
  slice.max_sessions_per_client = values.small("smtp.max_sessions_per_client");
  slice.retire_sessions = values.small("smtp.retire_sessions");
  slice.retire_seconds = values.small("smtp.retire_time");
  slice.normalize = values.flag("smtp.normalize");
  slice.hold = values.flag("smtp.hold");
  slice.rules = {.normalize = values.rule("smtp.normalize"),
                 .max_message = values.rule("smtp.max_message"),
                 .max_recipients = values.rule("smtp.max_recipients"),
                 .max_command_line = values.rule("smtp.max_command_line"),
                 .max_text_line = values.rule("smtp.max_text_line"),
                 .max_commands = values.rule("smtp.max_commands"),
                 .max_errors = values.rule("smtp.max_errors"),
                 .max_messages = values.rule("smtp.max_messages"),
                 .max_hops = values.rule("smtp.max_hops"),
                 .command_timeout = values.rule("smtp.command_timeout"),
                 .data_timeout = values.rule("smtp.data_timeout"),
                 .session_timeout = values.rule("smtp.session_timeout")};
  slice.sessions_rule = values.rule("smtp.max_sessions");
  slice.sessions_per_client_rule = values.rule("smtp.max_sessions_per_client");
  slice.hold_rule = values.rule("smtp.hold");
  return slice;
}

SpoolSlice make_spool(const Values& values) {
  SpoolSlice slice;
  slice.segment_bytes = values.number("spool.segment");
  slice.spare_segments = values.small("spool.spare_segments");
  slice.max_message_bytes = values.number("smtp.max_message") + kTraceAllowance;
  slice.max_spool_bytes = values.number("spool.max_size");
  slice.min_free_bytes = values.number("spool.min_free");
  slice.max_buffered_bytes = values.number("spool.max_buffered");
  slice.notice_header_bytes = values.number("queue.bounce_header");
  slice.own_deferred_folder =
      values.text("spool.deferred_directory") != values.text("state_directory") + "/spool";
  return slice;
}

QmgrSlice make_qmgr(const Values& values) {
  QmgrSlice slice;
  slice.max_active_messages = values.small("queue.max_active");
  slice.site_concurrency = values.small("queue.site_concurrency");
  slice.retry_min_seconds = values.small("queue.retry_min");
  slice.retry_max_seconds = values.small("queue.retry_max");
  slice.expire_seconds = values.small("queue.expire");
  slice.expire_rule = values.rule("queue.expire");
  slice.smtp_site_concurrency = values.small("smtp_client.site_concurrency");
  slice.warn_seconds = values.small("queue.delay_warning");
  slice.max_backlog = values.number("queue.max_backlog");
  slice.max_lag_seconds = values.small("queue.max_lag");
  slice.max_memory_bytes = values.number("queue.max_memory");
  return slice;
}

MailboxSource mailbox_source(const Values& values) {
  return values.text("mailboxes.source") == "list" ? MailboxSource::list : MailboxSource::system;
}

std::vector<MailboxEntry> mailbox_entries(const Values& values) {
  const auto rule = values.rule("mailboxes.list");
  std::vector<MailboxEntry> entries;
  for (const auto& row : values.mailboxes("mailboxes.list")) {
    entries.push_back({row.address, row.directory, {rule.name, rule.file, row.line}});
  }
  return entries;
}

/// The rule that answers for a user who has no mailbox.
Rule mailbox_rule(const Values& values) {
  return values.rule(mailbox_source(values) == MailboxSource::list ? "mailboxes.list" : "mailboxes.source");
}

std::vector<RouteEntry> route_entries(const Values& values) {
  const auto rule = values.rule("routes");
  std::vector<RouteEntry> entries;
  for (const auto& row : values.routes("routes")) {
    entries.push_back({row.pattern, row.next_hop, row.sources, {rule.name, rule.file, row.line}});
  }
  if (const auto& smarthost = values.text("smarthost"); !smarthost.empty()) {
    entries.push_back({"*", smarthost, {}, values.rule("smarthost")});
  }
  return entries;
}

RouterSlice make_router(const Values& values) {
  RouterSlice slice;
  slice.hostname = values.text("hostname");
  slice.domains = values.list("domains");
  slice.virtual_domains = values.list("virtual_domains");
  slice.relay_domains = values.list("relay_domains");
  slice.routes = route_entries(values);
  slice.sources = values.list("smtp_client.source");
  slice.mx_port = static_cast<std::uint16_t>(values.number("smtp_client.mx_port"));
  slice.relay_clients = values.list("relay_clients");
  slice.extension_delimiter = values.text("mailboxes.extension_delimiter");
  slice.mailbox_source = mailbox_source(values);
  slice.mailboxes = mailbox_entries(values);
  slice.postmaster = values.text("postmaster");
  slice.domains_rule = values.rule("domains");
  slice.relay_clients_rule = values.rule("relay_clients");
  slice.relay_domains_rule = values.rule("relay_domains");
  slice.list_rule = values.rule("mailboxes.list");
  slice.mailbox_rule = mailbox_rule(values);
  slice.postmaster_rule = values.rule("postmaster");
  return slice;
}

VirtualSlice make_virtual(const Values& values) {
  VirtualSlice slice;
  slice.hostname = values.text("hostname");
  slice.mailbox_source = mailbox_source(values);
  slice.mailboxes = mailbox_entries(values);
  slice.domains = values.list("domains");
  slice.virtual_domains = values.list("virtual_domains");
  std::ranges::copy(slice.virtual_domains, std::back_inserter(slice.domains));
  slice.extension_delimiter = values.text("mailboxes.extension_delimiter");
  slice.postmaster = values.text("postmaster");
  slice.max_batch = values.small("mailboxes.max_batch");
  slice.mailbox_rule = mailbox_rule(values);
  return slice;
}

SmtpSlice make_smtp(const Values& values) {
  SmtpSlice slice;
  slice.hostname = values.text("hostname");
  for (const auto& endpoint : values.list("smtp.listen")) {
    if (auto listener = parse_endpoint(endpoint)) slice.own.push_back(std::move(*listener));
  }
  for (const auto& address : values.list("smtp_client.own_addresses")) slice.own.push_back({address, 0});
  slice.max_sessions = values.small("smtp_client.max_sessions");
  slice.max_messages = values.small("smtp_client.max_messages");
  slice.idle_seconds = values.small("smtp_client.idle_time");
  slice.connect_seconds = values.small("smtp_client.connect_timeout");
  slice.reply_seconds = values.small("smtp_client.reply_timeout");
  slice.data_seconds = values.small("smtp_client.data_timeout");
  slice.final_seconds = values.small("smtp_client.final_timeout");
  slice.local_sockets = local_sockets(values);
  slice.connect_rule = values.rule("smtp_client.connect_timeout");
  return slice;
}

}  // namespace

Slices make_slices(const Values& values) {
  Slices slices;
  slices.master = make_master(values);
  slices.smtpd = make_smtpd(values);
  slices.spool = make_spool(values);
  slices.qmgr = make_qmgr(values);
  slices.router = make_router(values);
  slices.users.first_uid = values.small("mailboxes.first_uid");
  slices.virtual_mailbox = make_virtual(values);
  slices.smtp = make_smtp(values);
  slices.bounce.hostname = values.text("hostname");
  slices.bounce.max_header_bytes = values.number("queue.bounce_header");
  slices.log.max_file_bytes = values.number("log.max_file");
  slices.log.keep_files = values.small("log.keep_files");
  slices.log.text = values.flag("log.text");
  slices.admin.max_connections = values.small("admin.max_connections");
  slices.dns.servers = endpoints(values, "dns.servers");
  slices.dns.cache_bytes = values.number("dns.cache");
  slices.dns.timeout_seconds = values.small("dns.timeout");
  return slices;
}

}  // namespace sternpost::config

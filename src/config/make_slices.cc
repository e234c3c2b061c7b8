#include "config/make_slices.h"

#include "config/network.h"

namespace sternpost::config {
namespace {

MasterSlice make_master(const Values& values) {
  MasterSlice slice;
  for (const auto& endpoint : values.list("smtp.listen")) {
    if (auto listener = parse_endpoint(endpoint)) slice.smtp_listen.push_back(std::move(*listener));
  }
  slice.smtpd_workers = values.small("smtp.workers");
  slice.state_directory = values.text("state_directory");
  slice.mail_directory = values.text("mailboxes.directory");
  slice.mail_owner = values.text("mailboxes.owner");
  slice.control_group = values.text("admin.control_group");
  slice.uid_base = values.small("sandbox.uid_base");
  slice.weaker_sandbox = values.text("sandbox.mode") == "weaker";
  slice.restart_delay_ms = values.small("processes.restart_delay");
  slice.drain_seconds = values.small("processes.drain_timeout");
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

RouterSlice make_router(const Values& values) {
  RouterSlice slice;
  slice.hostname = values.text("hostname");
  slice.domains = values.list("domains");
  slice.relay_clients = values.list("relay_clients");
  slice.extension_delimiter = values.text("mailboxes.extension_delimiter");
  slice.mailbox_source = mailbox_source(values);
  slice.mailboxes = mailbox_entries(values);
  slice.postmaster = values.text("postmaster");
  slice.domains_rule = values.rule("domains");
  slice.relay_clients_rule = values.rule("relay_clients");
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
  slice.extension_delimiter = values.text("mailboxes.extension_delimiter");
  slice.postmaster = values.text("postmaster");
  slice.max_batch = values.small("mailboxes.max_batch");
  slice.mailbox_rule = mailbox_rule(values);
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
  slices.log.max_file_bytes = values.number("log.max_file");
  slices.log.keep_files = values.small("log.keep_files");
  slices.log.text = values.flag("log.text");
  slices.admin.max_connections = values.small("admin.max_connections");
  return slices;
}

}  // namespace sternpost::config

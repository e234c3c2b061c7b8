// message/delivery-status (RFC 3464 section 2).
#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "mail/date.h"
#include "mail/delivery_status_parts.h"

namespace sternpost::mail {
namespace {

constexpr std::size_t kMaxHost = 255;
constexpr std::size_t kMaxReply = 512;
constexpr std::size_t kColumns = 76;
constexpr std::uint16_t kMaxStatusNumber = 999;  // RFC 3463 section 2

constexpr bool is_host_character(char c) {
  return is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == ':' || c == '[' || c == ']';
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  append_wrapped(out, value, name.size() + 2, " ");
  out += "\r\n";
}

/// The class agrees with Action. "delayed" says that the condition is transient, so its class is 4. "failed"
/// may have either: RFC 3463 section 2 gives class 4 to what was abandoned after a transient condition had
/// persisted, and tells the reader by it that sending again later may succeed. But it stays only where no
/// permanent reply contradicts it. Without a status from anyone the Action alone speaks.
EnhancedStatus agreeing_status(const Reply& reply, NoticeKind kind) {
  const bool delayed = kind == NoticeKind::delayed;
  if (reply.status.status_class == 0) return {static_cast<std::uint8_t>(delayed ? 4 : 5), 0, 0};
  auto status = reply.status;
  const bool gave_up = status.status_class == 4 && !reply.permanent();
  status.status_class = delayed || gave_up ? 4 : 5;
  status.subject = std::min(status.subject, kMaxStatusNumber);
  status.detail = std::min(status.detail, kMaxStatusNumber);
  return status;
}

/// "mx.example.org" of "mx.example.org [192.0.2.1]", and the literal where no name stands before it.
std::string_view remote_name(std::string_view remote) {
  const auto name = trimmed(remote.substr(0, remote.find(" [")));
  return name.empty() ? trimmed(remote) : name;
}

void append_recipient(std::string& out, const NoticeFacts& facts, const NoticeRecipient& recipient) {
  const bool delayed = facts.kind == NoticeKind::delayed;
  // Not folded: a quoted local part may have spaces, and readers differ in how they join lines.
  out += "\r\nFinal-Recipient: rfc822; " + address_text(recipient.address, facts) + "\r\n";
  append_field(out, "Action", delayed ? "delayed" : "failed");
  append_field(out, "Status", to_string(agreeing_status(recipient.reply, facts.kind)));
  const auto said = reply_text(recipient.reply);
  if (!recipient.remote.empty()) {
    append_field(out, "Remote-MTA", "dns; " + host_text(remote_name(recipient.remote)));
  }
  if (!said.empty()) {
    append_field(out, "Diagnostic-Code", (recipient.remote.empty() ? "x-sternpost; " : "smtp; ") + said);
  }
  append_field(out, "Last-Attempt-Date", to_rfc5322(recipient.attempted));
  if (delayed && facts.will_retry_until) {
    append_field(out, "Will-Retry-Until", to_rfc5322(*facts.will_retry_until));
  }
}

}  // namespace

std::string one_line(std::string_view text, std::size_t most) {
  const bool longer = text.size() > most;
  std::string out(trimmed(text.substr(0, most)));
  for (char& c : out) {
    if (c == '\t') c = ' ';
    if (!is_printable(c)) c = '?';
  }
  if (longer) out += "...";
  return out;
}

std::string host_text(std::string_view host) {
  std::string out(host.substr(0, kMaxHost));
  std::ranges::replace_if(out, [](char c) { return !is_host_character(c); }, '?');
  return out;
}

std::string address_text(const Mailbox& address, const NoticeFacts& facts) {
  auto text = address.to_wire();
  if (address.domain().to_wire().empty()) text += "@" + host_text(facts.reporting_mta);
  return text;
}

std::string reply_text(const Reply& reply) {
  auto text = one_line(reply.text, kMaxReply);
  if (reply.code == 0) return text;
  return one_line(to_string(Reply{reply.code, reply.status, std::move(text)}), kMaxReply + kColumns);
}

void append_wrapped(std::string& out, std::string_view text, std::size_t column, std::string_view next_line) {
  // A break is the last space of several, so that no line consists of spaces alone.
  const auto is_break = [&text](std::size_t at) {
    return at > 0 && at + 1 < text.size() && text[at] == ' ' && text[at + 1] != ' ';
  };
  text = trimmed(text);
  while (column + text.size() > kColumns) {
    const auto room = column < kColumns ? kColumns - column : 0;
    auto at = std::min(room, text.size());
    while (at > 0 && !is_break(at)) --at;
    if (at == 0) at = room;
    while (at < text.size() && !is_break(at)) ++at;
    if (at >= text.size()) break;
    out += text.substr(0, at);
    out += "\r\n";
    out += next_line;
    text.remove_prefix(at + 1);
    column = next_line.size();
  }
  out += text;
}

std::string notice_report(const NoticeFacts& facts) {
  std::string out;
  append_field(out, "Reporting-MTA", "dns; " + host_text(facts.reporting_mta));
  append_field(out, "X-Sternpost-Queue-ID", to_string(facts.id));
  append_field(out, "Arrival-Date", to_rfc5322(facts.arrival));
  for (const auto& recipient : facts.recipients) append_recipient(out, facts, recipient);
  return out;
}

}  // namespace sternpost::mail

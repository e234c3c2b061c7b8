#include "mail/delivery_status.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/ascii.h"
#include "mail/date.h"
#include "mail/delivery_status_parts.h"
#include "mail/header.h"
#include "mail/seven_bit.h"

namespace sternpost::mail {
namespace {

constexpr std::size_t kMaxMessageId = 250;

/// Where the field ends in `content`, its line end included.
std::size_t end_of(const HeaderField& field, std::string_view content) {
  auto end = static_cast<std::size_t>(field.value.data() - content.data()) + field.value.size();
  if (end < content.size() && content[end] == '\r') ++end;
  if (end < content.size() && content[end] == '\n') ++end;
  return end;
}

/// As many whole fields as fit; of a first field that is too long, as many lines; of a first line, its
/// beginning.
ReturnedHeader returned_header(std::string_view content, std::size_t most) {
  // One octet less than what is read, so that a field that reading cut off does not pass for a whole one.
  most = std::min(most, HeaderBounds{}.max_bytes - 1);
  std::size_t whole = 0;
  HeaderReader reader(content);
  while (const auto field = reader.next()) {
    const auto end = end_of(*field, content);
    if (end <= most) {
      whole = end;
      continue;
    }
    if (whole == 0) {
      const auto beginning = content.substr(0, most);
      const auto line_end = beginning.rfind('\n');
      whole = line_end == std::string_view::npos ? beginning.size() : line_end + 1;
    }
    return {content.substr(0, whole), true};
  }
  return {content.substr(0, whole), reader.cut_short()};
}

/// A msg-id of RFC 5322 section 3.6.4 without quoting and comments, as all but forgers write it.
bool is_plain_message_id(std::string_view text) {
  if (text.size() < 5 || text.size() > kMaxMessageId || !text.starts_with('<') || !text.ends_with('>')) {
    return false;
  }
  const auto inside = text.substr(1, text.size() - 2);
  const auto at = inside.find('@');
  if (at == 0 || at == std::string_view::npos || at + 1 == inside.size()) return false;
  if (inside.find('@', at + 1) != std::string_view::npos) return false;
  return std::ranges::all_of(inside, [](char c) {
    return is_alphanumeric(c) || std::string_view("!#$%&'*+-/=?^_`{|}~.@[]:").contains(c);
  });
}

std::string_view subject(const NoticeFacts& facts) {
  if (facts.kind == NoticeKind::delayed) return "Delivery of your mail is delayed";
  return facts.reverse_path ? "Undelivered mail returned to sender"
                            : "Undeliverable notification (double bounce)";
}

std::string notice_header(const NoticeFacts& facts, std::string_view boundary) {
  const auto host = host_text(facts.reporting_mta);
  const auto id = to_string(facts.notice);
  const auto date = to_rfc5322(facts.now);
  std::string out;
  out += fmt::format("Received: by {} id {};\r\n\t{}\r\n", host, id, date);
  out += fmt::format("Date: {}\r\n", date);
  out += fmt::format("From: Mail Delivery System <MAILER-DAEMON@{}>\r\n", host);
  out += fmt::format("To: {}\r\n", address_text(notice_recipient(facts.reverse_path), facts));
  out += fmt::format("Subject: {}\r\n", subject(facts));
  out += fmt::format("Message-ID: <{}.{}@{}>\r\n", id, facts.now.microseconds, host);
  const auto originals = field_values(facts.content, "Message-ID");
  if (originals.size() == 1 && is_plain_message_id(originals.front())) {
    out += fmt::format("In-Reply-To: {0}\r\nReferences: {0}\r\n", originals.front());
  }
  out += "Auto-Submitted: auto-replied\r\n";  // RFC 3834 section 5: nothing answers a notice
  out += "MIME-Version: 1.0\r\n";
  out += fmt::format("Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"{}\"\r\n",
                     boundary);
  return out;
}

struct Part {
  std::string_view type;
  std::string_view description;
  std::string body;
  bool quoted_printable = false;
};

Part header_part(const ReturnedHeader& header) {
  // RFC 6522 section 4 has quoted-printable for headers that are not legal 7bit content.
  const bool legal = is_seven_bit(header.text);
  return {.type = "text/rfc822-headers",
          .description = header.cut ? "Beginning of the header of the message" : "Header of the message",
          .body = legal ? std::string(header.text) : quoted_printable(header.text),
          .quoted_printable = !legal};
}

/// No quoted-printable has "=_" (RFC 2045 section 6.7); in other parts a sender would have to foresee id and
/// time. It gets longer where a part has it all the same: for each round a part must hold another text, so
/// the rounds end.
std::string free_boundary(const NoticeFacts& facts, const std::vector<Part>& parts) {
  const auto base = fmt::format("=_{}.{}", to_string(facts.notice), facts.now.microseconds);
  auto boundary = base;
  const auto occurs = [&boundary](const Part& part) { return part.body.contains(boundary); };
  for (std::uint32_t round = 1; std::ranges::any_of(parts, occurs); ++round) {
    boundary = fmt::format("{}.{}", base, round);
  }
  return boundary;
}

}  // namespace

Mailbox notice_recipient(const ReversePath& reverse_path) {
  return reverse_path ? *reverse_path : *Mailbox::from_wire("postmaster");
}

std::string compose_notice(const NoticeFacts& facts) {
  const auto header = returned_header(facts.content, facts.max_returned_bytes);
  std::vector<Part> parts{
      {.type = "text/plain; charset=us-ascii",
       .description = "Notification",
       .body = notice_text(facts, header)},
      {.type = "message/delivery-status", .description = "Delivery report", .body = notice_report(facts)}};
  if (!header.text.empty()) parts.push_back(header_part(header));

  const auto boundary = free_boundary(facts, parts);
  auto out = notice_header(facts, boundary);
  for (const auto& part : parts) {
    out += fmt::format("\r\n--{}\r\nContent-Description: {}\r\nContent-Type: {}\r\n", boundary,
                       part.description, part.type);
    if (part.quoted_printable) out += "Content-Transfer-Encoding: quoted-printable\r\n";
    out += "\r\n";
    out += part.body;
  }
  out += fmt::format("\r\n--{}--\r\n", boundary);
  return out;
}

}  // namespace sternpost::mail

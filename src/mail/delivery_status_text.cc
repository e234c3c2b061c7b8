// The text of a notice, for somebody who knows nothing of mail servers.
#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "mail/date.h"
#include "mail/delivery_status_parts.h"

namespace sternpost::mail {
namespace {

constexpr std::size_t kMaxNamed = 100;
constexpr std::size_t kMaxRemote = 320;  // a name and an address
constexpr std::string_view kQuote = "    > ";

std::string beginning(const NoticeFacts& facts) {
  const auto which = facts.recipients.size() == 1 ? "this address" : "these addresses";
  const auto arrival = to_rfc5322(facts.arrival);
  if (!facts.reverse_path) {
    return fmt::format(
        "A message with an empty sender address, as notifications have it, came in on\r\n"
        "{}. It could not be delivered to {}:\r\n",
        arrival, which);
  }
  const bool delayed = facts.kind == NoticeKind::delayed;
  return fmt::format(
      "Your message, which came in on {},\r\n"
      "could not {}be delivered to {}:\r\n",
      arrival, delayed ? "yet " : "", which);
}

void append_recipient(std::string& out, const NoticeFacts& facts, const NoticeRecipient& recipient) {
  out += fmt::format("\r\n  {}\r\n", address_text(recipient.address, facts));
  const auto said = reply_text(recipient.reply);
  if (said.empty()) {
    out += "    No reason is known.\r\n";
    return;
  }
  if (recipient.remote.empty()) {
    out += "    This mail system says:\r\n";
  } else {
    out += "    ";
    append_wrapped(out, "The host " + one_line(recipient.remote, kMaxRemote) + " said:", 4, "    ");
    out += "\r\n";
  }
  out += kQuote;
  append_wrapped(out, said, kQuote.size(), kQuote);
  out += "\r\n";
}

std::string_view what_happens_next(const NoticeFacts& facts) {
  if (!facts.reverse_path) {
    return "It will not be tried again. As it has no sender who could be told, you are told\r\n"
           "as the postmaster.\r\n";
  }
  if (facts.kind == NoticeKind::failed) {
    return "It will not be tried again. Other recipients of the message, if it had any, are\r\n"
           "not concerned.\r\n";
  }
  return "You need not do anything: it will be tried again, and if it cannot be delivered\r\n"
         "in the end, you will be told.\r\n";
}

std::string ending(const NoticeFacts& facts, const ReturnedHeader& header) {
  std::string out;
  const auto id = to_string(facts.id);
  if (facts.reverse_path) {
    out +=
        fmt::format("If you ask for help at postmaster@{},\r\nplease give this number of the message: {}\r\n",
                    host_text(facts.reporting_mta), id);
  } else {
    out += fmt::format("The number of the message in the queue was: {}\r\n", id);
  }
  out += "\r\nWhat follows is a report for programs";
  if (!header.text.empty()) {
    out += header.cut
               ? ", and the beginning of the message's header,\r\nwhich is longer than what is returned"
               : ", and the header of the message";
  }
  out += ".\r\n";
  return out;
}

}  // namespace

std::string notice_text(const NoticeFacts& facts, const ReturnedHeader& header) {
  std::string out = fmt::format("This is the mail system at {}.\r\n\r\n", host_text(facts.reporting_mta));
  out += beginning(facts);
  const auto named = std::min(facts.recipients.size(), kMaxNamed);
  for (const auto& recipient : std::span(facts.recipients).first(named)) {
    append_recipient(out, facts, recipient);
  }
  if (named < facts.recipients.size()) {
    out +=
        fmt::format("\r\n  and {} more, which are in the report below\r\n", facts.recipients.size() - named);
  }
  out += "\r\n";
  out += what_happens_next(facts);
  if (facts.kind == NoticeKind::delayed && facts.will_retry_until) {
    out += fmt::format("It will be given up on {}.\r\n", to_rfc5322(*facts.will_retry_until));
  }
  out += "\r\n";
  out += ending(facts, header);
  return out;
}

}  // namespace sternpost::mail

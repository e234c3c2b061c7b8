#include "protocol/smtp/conversation.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/ascii.h"

namespace sternpost::smtp {
namespace {

// RFC 5321 section 4.5.3.1.5: a reply line is at most 512 octets.
constexpr std::size_t kMaxReplyText = 480;

void append_line(std::string& out, mail::ReplyCode code, char separator, mail::EnhancedStatus status,
                 std::string_view text) {
  const fmt::format_int number(code);
  out.append(number.data(), number.size());
  out.push_back(separator);
  if (status.status_class != 0) {
    for (const unsigned part :
         {unsigned{status.status_class}, unsigned{status.subject}, unsigned{status.detail}}) {
      const fmt::format_int digits(part);
      out.append(digits.data(), digits.size());
      out.push_back('.');
    }
    out.back() = ' ';
  }
  for (const char c : text.substr(0, kMaxReplyText)) out.push_back(is_printable(c) ? c : '?');
  out.append("\r\n");
}

}  // namespace

void Conversation::reply(mail::ReplyCode code, mail::EnhancedStatus status, std::string_view text) {
  append_line(replies, code, ' ', status, text);
}

void Conversation::reply_lines(mail::ReplyCode code, mail::EnhancedStatus status,
                               const std::vector<std::string>& lines) {
  for (const auto& line : lines) append_line(replies, code, &line == &lines.back() ? ' ' : '-', status, line);
}

std::string Conversation::sender_for_records() const {
  return transaction.open ? mail::to_path(transaction.reverse_path) : std::string();
}

void Conversation::refuse(const mail::Reply& refusal, Rule rule, std::string recipient) {
  if (refusal.permanent()) ++errors_;
  reply(refusal.code, refusal.status, refusal.text);
  actions.emplace_back(
      Refusal{refusal, std::move(rule), transaction.id, sender_for_records(), std::move(recipient)});
}

void Conversation::refuse_and_close(const mail::Reply& refusal, Rule rule) {
  refuse(refusal, std::move(rule));
  phase = Phase::closed;
  closed_by_refusal_ = true;
}

void Conversation::ask_about(mail::Mailbox recipient) {
  const auto request = ++last_request_;
  actions.emplace_back(VerifyRecipient{request, transaction.reverse_path, recipient});
  asked_.push_back({request, std::move(recipient), std::nullopt, {}, {}});
}

void Conversation::refuse_recipient(const mail::Reply& refusal, Rule rule, std::string recipient) {
  asked_.push_back({0, std::nullopt, refusal, std::move(rule), std::move(recipient)});
  answer_in_turn();
}

void Conversation::verdict(std::uint32_t request, const mail::Reply& reply, const Rule& rule) {
  const auto asked = std::find_if(asked_.begin() + static_cast<std::ptrdiff_t>(answered_), asked_.end(),
                                  [&](const Asked& a) { return a.recipient && a.request == request; });
  if (asked == asked_.end() || asked->reply) return;
  asked->reply = reply;
  asked->rule = rule;
  answer_in_turn();
}

void Conversation::answer_in_turn() {
  while (answered_ < asked_.size() && asked_[answered_].reply) answer(asked_[answered_++]);
  if (answered_ == asked_.size()) {
    asked_.clear();
    answered_ = 0;
  }
}

void Conversation::answer(Asked& asked) {
  auto& verdict = *asked.reply;
  if (asked.recipient && verdict.positive()) {
    auto& recipients = transaction.recipients;
    if (recipients.empty()) transaction.rule = std::move(asked.rule);
    // A recipient who is named twice still gets one copy.
    if (std::ranges::find(recipients, *asked.recipient) == recipients.end()) {
      recipients.push_back(std::move(*asked.recipient));
    }
    reply(250, {2, 1, 5}, "Ok");
    return;
  }
  if (!verdict.temporary() && (verdict.code < 500 || verdict.code > 599)) {
    verdict = {451, {4, 3, 0}, "Cannot verify this recipient now"};
  }
  transaction.recipient_refused = true;
  refuse(verdict, std::move(asked.rule),
         asked.recipient ? asked.recipient->to_wire() : std::move(asked.text));
}

}  // namespace sternpost::smtp

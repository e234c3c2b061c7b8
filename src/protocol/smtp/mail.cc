// MAIL: RFC 5321 section 4.1.1.2, with SIZE (RFC 1870) and BODY (RFC 6152).
#include <charconv>
#include <utility>

#include "base/ascii.h"
#include "protocol/smtp/path.h"
#include "protocol/smtp/verbs.h"

namespace sternpost::smtp::verbs {
namespace {

// RFC 1870 section 3: at most 20 digits; more than 19 may not fit and are too many octets for any disk.
constexpr std::size_t kMaxSizeDigits = 19;

void refuse_parameter(Conversation& conversation) {
  conversation.refuse({501, {5, 5, 4}, "Malformed MAIL parameter"}, built_in("RFC 5321 4.1.1.2"));
}

/// False when it was refused.
bool take_size(Conversation& conversation, Transaction& transaction, const Parameter& parameter) {
  const auto digits = parameter.value.value_or(std::string_view());
  std::uint64_t octets = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), octets);
  if (digits.empty() || digits.size() > kMaxSizeDigits || error != std::errc() ||
      end != digits.data() + digits.size()) {
    refuse_parameter(conversation);
    return false;
  }
  const auto& limits = conversation.limits();
  if (octets > limits.max_message_bytes) {
    conversation.refuse(
        {552, {5, 3, 4}, "Message is larger than " + std::to_string(limits.max_message_bytes) + " octets"},
        limits.rules.max_message);
    return false;
  }
  transaction.declared_bytes = octets;
  return true;
}

/// False when it was refused.
bool take_body(Conversation& conversation, Transaction& transaction, const Parameter& parameter) {
  const auto value = parameter.value.value_or(std::string_view());
  transaction.eight_bit = equals_ignoring_case(value, "8BITMIME");
  if (transaction.eight_bit || equals_ignoring_case(value, "7BIT")) return true;
  refuse_parameter(conversation);
  return false;
}

/// False when one was refused.
bool take_parameters(Conversation& conversation, Transaction& transaction, std::string_view parameters) {
  bool size_seen = false;
  bool body_seen = false;
  while (!parameters.empty()) {
    const auto parameter = take_parameter(parameters);
    if (!parameter) {
      refuse_parameter(conversation);
      return false;
    }
    const bool is_size = conversation.extended && equals_ignoring_case(parameter->keyword, "SIZE");
    const bool is_body = conversation.extended && equals_ignoring_case(parameter->keyword, "BODY");
    if (!is_size && !is_body) {
      conversation.refuse({555, {5, 5, 4}, "MAIL parameter not recognized"}, built_in("RFC 5321 4.1.1.11"));
      return false;
    }
    if (is_size ? std::exchange(size_seen, true) : std::exchange(body_seen, true)) {
      refuse_parameter(conversation);
      return false;
    }
    if (!(is_size ? take_size : take_body)(conversation, transaction, *parameter)) return false;
  }
  return true;
}

}  // namespace

void mail(Conversation& conversation, std::string_view arguments) {
  if (conversation.helo.empty()) {
    conversation.refuse({503, {5, 5, 1}, "Say EHLO or HELO first"}, built_in("RFC 5321 4.1.4"));
    return;
  }
  if (conversation.transaction.open) {
    conversation.refuse({503, {5, 5, 1}, "Nested MAIL command"}, built_in("RFC 5321 4.1.4"));
    return;
  }
  if (conversation.messages >= conversation.limits().max_messages) {
    conversation.refuse_and_close({421, {4, 7, 0}, "Too many messages in one session"},
                                  conversation.limits().rules.max_messages);
    return;
  }
  if (const auto& limits = conversation.limits(); !limits.closed_because.empty()) {
    conversation.refuse({452, {4, 3, 1}, limits.closed_because}, limits.closed_rule);
    return;
  }
  const auto path = split_path(arguments, "FROM:");
  if (!path) {
    conversation.refuse({501, {5, 5, 4}, "Syntax: MAIL FROM:<address>"}, built_in("RFC 5321 4.1.1.2"));
    return;
  }
  Transaction transaction;
  if (!path->inside.empty()) {
    transaction.reverse_path = mail::Mailbox::from_wire(path->inside);
    if (!transaction.reverse_path || transaction.reverse_path->domain().to_wire().empty()) {
      conversation.refuse({501, {5, 1, 7}, "Malformed sender address"}, built_in("RFC 5321 4.1.2"));
      return;
    }
  }
  if (!take_parameters(conversation, transaction, path->parameters)) return;
  transaction.open = true;
  conversation.transaction = std::move(transaction);
  conversation.reply(250, {2, 1, 0}, "Ok");
}

}  // namespace sternpost::smtp::verbs

// What the client does with one delivery, from MAIL to the verdict on the content.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "protocol/smtp/client.h"

namespace sternpost::smtp {

void Client::start_delivery() {
  const auto& facts = delivery_->delivery().facts;
  transactions_ = 0;
  const auto most = capabilities_.max_message;
  if (most != 0 && facts.octets > most) {
    const auto text =
        fmt::format("the message has {} octets and the next hop takes at most {}", facts.octets, most);
    delivery_->settle_rest({552, {5, 3, 4}, text}, Scope::answer, Speaker::client);
    return finish();
  }
  if (facts.eight_bit && !capabilities_.eight_bit) {
    // RFC 6152 section 3: without the extension there are no such octets.
    delivery_->settle_rest(
        {554, {5, 6, 3}, "the message has 8-bit content and the next hop does not offer 8BITMIME"},
        Scope::answer, Speaker::client);
    return finish();
  }
  begin_transaction();
}

void Client::begin_transaction() {
  ++transactions_;
  const std::size_t most = capabilities_.max_recipients;
  delivery_->begin_transaction(most != 0 ? most : std::numeric_limits<std::size_t>::max());
  mail_said_ = data_said_ = false;
  phase_ = Phase::commands;
  write_commands();
}

/// A transaction that the server did not end itself, after the content, is open until RSET.
void Client::end_transaction(bool server_forgot) {
  delivery_->end_transaction();
  needs_reset_ = !server_forgot;
  phase_ = Phase::ready;
  if (!delivery_->settled() && transactions_ < limits_.max_transactions) return begin_transaction();
  delivery_->settle_rest({452, {4, 5, 3}, "the next hop takes too few recipients at a time"}, Scope::answer,
                         Speaker::client);
  finish();
}

/// The next group of commands (RFC 2920 section 3.1), which is a single one without PIPELINING. The group
/// before has all its replies.
void Client::write_commands() {
  const auto most = capabilities_.pipelining ? std::size_t{limits_.max_pipelined_recipients} + 2 : 1;
  while (awaited_.size() < most && output_.size() < limits_.max_unwritten && write_command()) {
  }
}

/// False where the transaction has no further command, or none before the replies are known.
bool Client::write_command() {
  if (std::exchange(needs_reset_, false)) {
    say(Awaited::reset, "RSET");
  } else if (!std::exchange(mail_said_, true)) {
    append_mail();
  } else if (const auto* recipient = delivery_->next_to_name()) {
    say(Awaited::recipient, "RCPT TO:<" + recipient->to_wire() + ">");
    delivery_->name_next();
  } else if (!data_said_ && (awaiting() || delivery_->accepted() > 0)) {
    // In a group with RCPT it is not known whether any recipient is accepted.
    say(Awaited::data, "DATA");
    data_said_ = true;
  } else {
    return false;
  }
  return true;
}

void Client::append_mail() {
  const auto& delivery = delivery_->delivery();
  const auto& facts = delivery.facts;
  auto command = "MAIL FROM:" + to_path(delivery.reverse_path);
  if (capabilities_.size) {
    command += " SIZE=";
    command += fmt::format_int(facts.octets).c_str();
  }
  if (capabilities_.eight_bit && (delivery.eight_bit || facts.eight_bit)) command += " BODY=8BITMIME";
  say(Awaited::mail, command);
}

void Client::take_transaction_answer(Awaited to, const mail::Reply& reply) {
  if (reply.intermediate() && to != Awaited::data) return fault(reply);
  switch (to) {
    case Awaited::reset:
      // RFC 5321 section 4.1.1.5 allows no refusal. What the server holds now is not known.
      if (!reply.positive()) return give_up(with_status(reply));
      break;
    case Awaited::mail:
      if (!reply.positive()) delivery_->settle_rest(reply, Scope::answer, Speaker::server);
      break;
    case Awaited::recipient:
      delivery_->recipient_reply(reply);
      break;
    case Awaited::data:
      return take_data_answer(reply);
    default:
      return take_verdict(reply);
  }
  if (awaiting()) return;
  if (!delivery_->settled()) write_commands();
  if (!awaiting()) end_transaction(false);
}

void Client::take_data_answer(const mail::Reply& reply) {
  if (reply.intermediate()) {
    const bool wanted = delivery_->accepted() > 0;
    if (!wanted && limits_.protocol == ClientProtocol::lmtp) {
      // How many replies would follow the content? RFC 2033 section 4.2 wants 503 here.
      delivery_->end_transaction();
      return fault(reply);
    }
    writer_ = ContentWriter();
    content_given_ = 0;
    phase_ = Phase::content;
    // What nobody is to get is empty, and so is what the server says of it.
    if (!wanted) end_content();
    return;
  }
  if (reply.positive()) return fault(reply);
  delivery_->settle_accepted(reply, Scope::answer, Speaker::server);
  end_transaction(false);
}

std::optional<std::uint64_t> Client::wanted_content() const {
  if (phase_ != Phase::content || output_.size() >= limits_.max_unwritten) return std::nullopt;
  return content_given_;
}

void Client::give_content(std::string_view octets, bool last) {
  if (phase_ != Phase::content) return;
  content_given_ += octets.size();
  writer_.write(octets, output_);
  if (last) end_content();
}

void Client::end_content() {
  writer_.end(output_);
  transcript_.command(".");
  phase_ = Phase::verdict;
  const bool each = limits_.protocol == ClientProtocol::lmtp;
  awaited_.assign(each ? delivery_->accepted() : 1, Awaited::end_of_data);
}

void Client::take_verdict(const mail::Reply& reply) {
  if (limits_.protocol == ClientProtocol::lmtp) {
    delivery_->next_verdict(reply);
  } else {
    delivery_->verdict(reply);
  }
  if (!awaiting()) end_transaction(true);
}

}  // namespace sternpost::smtp

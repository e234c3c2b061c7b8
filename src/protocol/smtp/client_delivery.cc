#include "protocol/smtp/client_delivery.h"

#include <utility>

namespace sternpost::smtp {
namespace {

constexpr mail::EnhancedStatus kTooManyRecipients{4, 5, 3};

/// RFC 5321 section 4.5.3.1.10: 452 means that there are too many recipients, and 552 is to be taken for it.
/// Servers say 452 and 552 of full mailboxes too, and then with a status of their own.
bool too_many(const mail::Reply& reply) {
  if (reply.code != 452 && reply.code != 552) return false;
  return reply.status.status_class == 0 || (reply.status.subject == kTooManyRecipients.subject &&
                                            reply.status.detail == kTooManyRecipients.detail);
}

mail::Disposition disposition_of(const mail::Reply& reply, Scope scope) {
  if (scope != Scope::answer || reply.temporary()) return mail::Disposition::deferred;
  return reply.permanent() ? mail::Disposition::failed : mail::Disposition::delivered;
}

}  // namespace

mail::Reply with_status(mail::Reply reply) {
  if (reply.status.status_class == 0) {
    reply.status = {static_cast<std::uint8_t>(reply.code / 100), 0, 0};
  }
  return reply;
}

DeliveryState::DeliveryState(Delivery delivery)
    : delivery_(std::move(delivery)),
      results_(delivery_.recipients.size()),
      states_(delivery_.recipients.size(), State::waiting),
      unsettled_(delivery_.recipients.size()) {}

void DeliveryState::begin_transaction(std::size_t most) {
  batch_.clear();
  named_ = replied_ = judged_ = accepted_ = 0;
  for (std::size_t i = 0; i < states_.size() && batch_.size() < most; ++i) {
    if (states_[i] != State::waiting) continue;
    states_[i] = State::in_transaction;
    batch_.push_back(static_cast<std::uint32_t>(i));
  }
}

const mail::Mailbox* DeliveryState::next_to_name() const {
  return named_ < batch_.size() ? &delivery_.recipients[batch_[named_]] : nullptr;
}

void DeliveryState::recipient_reply(const mail::Reply& reply) {
  const auto recipient = batch_[replied_++];
  if (states_[recipient] != State::in_transaction) return;
  if (reply.positive()) {
    states_[recipient] = State::accepted;
    ++accepted_;
  } else if (too_many(reply)) {
    states_[recipient] = State::too_many;
    results_[recipient].reply = {452, kTooManyRecipients, reply.text};
  } else {
    settle(recipient, reply, Scope::answer, Speaker::server);
  }
}

void DeliveryState::verdict(const mail::Reply& reply) {
  settle_accepted(reply, Scope::answer, Speaker::server);
}

void DeliveryState::next_verdict(const mail::Reply& reply) {
  while (judged_ < batch_.size()) {
    const auto recipient = batch_[judged_++];
    if (states_[recipient] != State::accepted) continue;
    settle(recipient, reply, Scope::answer, Speaker::server);
    return;
  }
}

void DeliveryState::end_transaction() {
  for (const auto recipient : batch_) {
    auto& state = states_[recipient];
    if (state == State::too_many && accepted_ == 0) {
      settle(recipient, mail::Reply(results_[recipient].reply), Scope::answer, Speaker::server);
    } else if (state != State::settled) {
      state = State::waiting;
    }
  }
  batch_.clear();
}

void DeliveryState::settle_rest(const mail::Reply& reply, Scope scope, Speaker speaker) {
  for (std::size_t i = 0; i < states_.size(); ++i) settle(i, reply, scope, speaker);
}

void DeliveryState::settle_accepted(const mail::Reply& reply, Scope scope, Speaker speaker) {
  for (const auto recipient : batch_) {
    if (states_[recipient] == State::accepted) settle(recipient, reply, scope, speaker);
  }
}

void DeliveryState::settle(std::size_t recipient, const mail::Reply& reply, Scope scope, Speaker speaker) {
  if (std::exchange(states_[recipient], State::settled) == State::settled) return;
  results_[recipient] = {disposition_of(reply, scope), scope, with_status(reply), speaker == Speaker::server};
  --unsettled_;
}

}  // namespace sternpost::smtp

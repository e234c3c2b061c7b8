#include "spool/message_state.h"

#include <algorithm>
#include <functional>

namespace sternpost::spool {
namespace {

std::uint32_t index_of(const Attempted& attempted) {
  return attempted.last.recipient;
}

}  // namespace

std::optional<MessageState> MessageState::from(std::uint32_t recipients, bool held, bool warned,
                                               std::vector<Attempted> attempted) {
  MessageState state(recipients, held);
  state.warned = warned;
  std::uint64_t next = 0;
  for (const auto& one : attempted) {
    if (index_of(one) < next || index_of(one) >= recipients) return {};
    next = index_of(one) + 1ULL;
    if (mail::is_final(one.last.disposition)) --state.open_;
    if (one.last.disposition == mail::Disposition::failed) ++state.owing_;
    state.count_texts(one, true);
  }
  state.attempted_ = std::move(attempted);
  return state;
}

const Attempted* MessageState::find(std::uint32_t recipient) const {
  const auto at = std::ranges::lower_bound(attempted_, recipient, {}, index_of);
  return at != attempted_.end() && index_of(*at) == recipient ? &*at : nullptr;
}

bool MessageState::is_open(std::uint32_t recipient) const {
  if (recipient >= recipients_) return false;
  const auto* attempted = find(recipient);
  return attempted == nullptr || !mail::is_final(attempted->last.disposition);
}

bool MessageState::is_owing(std::uint32_t recipient) const {
  const auto* attempted = find(recipient);
  return attempted != nullptr && attempted->last.disposition == mail::Disposition::failed;
}

std::uint64_t MessageState::record_bytes() const {
  return recipients_ * kAttemptedBytes + texts_;
}

void MessageState::count_texts(const Attempted& attempted, bool add) {
  const auto bytes = add ? attempted.text_bytes() : -attempted.text_bytes();
  texts_ += bytes;
  if (attempted.last.disposition == mail::Disposition::deferred) deferred_texts_ += bytes;
}

bool MessageState::keeps_texts(const mail::RecipientOutcome& outcome) const {
  if (outcome.disposition == mail::Disposition::failed) return true;
  return outcome.disposition == mail::Disposition::deferred &&
         deferred_texts_ + outcome.text_bytes() <= kMaxDeferredTexts;
}

bool MessageState::takes(const mail::RecipientOutcome& outcome) const {
  if (outcome.disposition == mail::Disposition::bounced) return is_owing(outcome.recipient);
  return is_open(outcome.recipient) ||
         (outcome.disposition == mail::Disposition::deleted && is_owing(outcome.recipient));
}

Result<void> MessageState::check(std::span<const mail::RecipientOutcome> outcomes) const {
  if (outcomes.empty()) return fail(ErrorClass::permanent, "no outcome");
  std::vector<std::uint32_t> named;
  named.reserve(outcomes.size());
  for (const auto& outcome : outcomes) {
    const auto name = "recipient " + std::to_string(outcome.recipient);
    if (outcome.recipient >= recipients_) return fail(ErrorClass::permanent, name + " does not exist");
    if (!takes(outcome)) return fail(ErrorClass::permanent, name + " is in another state");
    if (outcome.reply.text.size() > kMaxReplyText ||
        outcome.remote.size() > mail::RecipientOutcome::kMaxRemote) {
      return fail(ErrorClass::permanent, "the reply for " + name + " is too long");
    }
    named.push_back(outcome.recipient);
  }
  std::ranges::sort(named);
  if (std::ranges::adjacent_find(named) != named.end()) {
    return fail(ErrorClass::permanent, "two outcomes for one recipient");
  }
  return {};
}

void MessageState::apply(std::span<const mail::RecipientOutcome> outcomes) {
  attempted_.reserve(std::min<std::size_t>(recipients_, attempted_.size() + outcomes.size()));
  for (const auto& outcome : outcomes) {
    auto at = std::ranges::lower_bound(attempted_, outcome.recipient, {}, index_of);
    if (at == attempted_.end() || index_of(*at) != outcome.recipient) at = attempted_.insert(at, Attempted{});
    count_texts(*at, false);
    const bool attempt = outcome.disposition != mail::Disposition::deleted &&
                         outcome.disposition != mail::Disposition::bounced;
    if (attempt) ++at->attempts;
    if (at->last.disposition == mail::Disposition::failed) {
      --owing_;
    } else if (mail::is_final(outcome.disposition)) {
      --open_;
    }
    if (outcome.disposition == mail::Disposition::failed) ++owing_;
    at->last = outcome;
    at->drop_texts_on_disk();
    if (!keeps_texts(outcome)) at->drop_texts();
    count_texts(*at, true);
  }
}

Result<void> MessageState::check(const Settlement& settlement) const {
  if (settlement.recipients.empty() && !settlement.warns)
    return fail(ErrorClass::permanent, "a notice that settles nothing");
  if (settlement.warns && warned) return fail(ErrorClass::permanent, "a second warning");
  if (std::ranges::adjacent_find(settlement.recipients, std::ranges::greater_equal{}) !=
      settlement.recipients.end()) {
    return fail(ErrorClass::permanent, "a notice that tells of a recipient twice, or out of order");
  }
  const bool owed =
      std::ranges::all_of(settlement.recipients, [this](auto index) { return is_owing(index); });
  if (!owed) return fail(ErrorClass::permanent, "a notice that is not owed");
  return {};
}

bool MessageState::may_have_taken(const Settlement& settlement) const {
  return std::ranges::all_of(settlement.recipients,
                             [this](auto index) { return is_open(index) || is_owing(index); });
}

void MessageState::apply(const Settlement& settlement) {
  for (const auto index : settlement.recipients) {
    --(is_owing(index) ? owing_ : open_);
    auto at = std::ranges::lower_bound(attempted_, index, {}, index_of);
    if (at == attempted_.end() || index_of(*at) != index) {
      at = attempted_.insert(
          at, Attempted{.last = {.recipient = index, .disposition = {}, .reply = {}, .attempted = {}}});
    }
    count_texts(*at, false);
    at->last.disposition = mail::Disposition::bounced;
    at->drop_texts();
  }
  warned = warned || settlement.warns;
}

void MessageState::resize(std::uint32_t recipients, std::span<const std::uint32_t> changed) {
  open_ += recipients - recipients_;
  recipients_ = recipients;
  std::erase_if(attempted_, [&](const Attempted& one) {
    const bool forgets = std::ranges::find(changed, index_of(one)) != changed.end();
    if (forgets) count_texts(one, false);
    return forgets;
  });
}

void MessageState::leave_texts_in(const RecordPlace& place, Attempted& attempted) {
  if (attempted.last.text_bytes() == 0) return;
  attempted.texts_bytes = static_cast<std::uint32_t>(attempted.last.text_bytes());
  attempted.texts_at = place;
  attempted.last.drop_texts();
  attempted.last.reply.text.shrink_to_fit();
}

void MessageState::leave_texts_in(const RecordPlace& place) {
  for (auto& one : attempted_) leave_texts_in(place, one);
}

void MessageState::leave_texts_in(const RecordPlace& place,
                                  std::span<const mail::RecipientOutcome> outcomes) {
  for (const auto& outcome : outcomes) {
    const auto at = std::ranges::lower_bound(attempted_, outcome.recipient, {}, index_of);
    if (at != attempted_.end() && index_of(*at) == outcome.recipient) leave_texts_in(place, *at);
  }
}

void MessageState::group_written(const RecordPlace& group) {
  for (auto& one : attempted_) {
    if (one.texts_bytes == 0 || one.texts_at.slot != kThisGroup) continue;
    one.texts_at = {group.slot, group.offset + one.texts_at.offset};
  }
}

bool MessageState::restore_texts(std::uint32_t recipient, std::string_view text, std::string_view remote) {
  const auto at = std::ranges::lower_bound(attempted_, recipient, {}, index_of);
  if (at == attempted_.end() || index_of(*at) != recipient) return false;
  if (at->texts_bytes != text.size() + remote.size()) return false;
  at->last.reply.text = text;
  at->last.remote = remote;
  at->drop_texts_on_disk();
  return true;
}

void MessageState::drop_texts(mail::Disposition disposition) {
  for (auto& one : attempted_) {
    if (one.last.disposition != disposition) continue;
    count_texts(one, false);
    one.drop_texts();
  }
}

void MessageState::drop_texts_on_disk() {
  for (auto& one : attempted_) {
    if (one.texts_bytes == 0) continue;
    count_texts(one, false);
    one.drop_texts_on_disk();
    count_texts(one, true);
  }
}

}  // namespace sternpost::spool

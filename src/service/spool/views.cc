#include "service/spool/views.h"

#include <algorithm>

#include "service/spool/intake_desk.h"

namespace sternpost::spool_service {
namespace {

/// What Pulled and Entry say of a recipient beyond its address, without the text of a reply.
constexpr std::size_t kRecipientBytes = 64;

std::size_t recipients_bytes(const mail::Envelope& envelope) {
  std::size_t bytes = 0;
  for (const auto& recipient : envelope.recipients) bytes += recipient.to_wire().size() + kRecipientBytes;
  return bytes;
}

spool_admin::State state_of(const spool::Message& message, const JobBook& jobs, QueueId id) {
  if (message.state.held) return spool_admin::State::held;
  if (message.state.open() == 0) return spool_admin::State::owing;
  if (jobs.in_hand(id)) return spool_admin::State::active;
  const bool tried = std::ranges::any_of(message.state.attempted(), [](const spool::Attempted& one) {
    return !mail::is_final(one.last.disposition);
  });
  return tried ? spool_admin::State::deferred : spool_admin::State::queued;
}

void drop_texts(spool_admin::Entry& entry) {
  for (auto& recipient : entry.recipients) {
    if (recipient.last) recipient.last->drop_texts();
  }
}

}  // namespace

bool fits_in_frames(const mail::Envelope& envelope) {
  constexpr std::size_t kRest = 8192;  // reverse-path, origin and the frame's own fields
  const auto& origin = envelope.origin;
  return recipients_bytes(envelope) <= spool_qmgr::kMaxFrame - kRest &&
         origin.protocol.size() + origin.client.size() + origin.helo.size() + origin.session.size() <=
             kRest / 2;
}

spool_qmgr::PulledMessage pulled_message(const spool::Engine& engine, const JobBook& jobs, QueueId id,
                                         mail::Envelope&& envelope) {
  const auto message = *engine.find(id);
  spool_qmgr::PulledMessage pulled{id,
                                   envelope.arrival,
                                   message.content_bytes(),
                                   message.state.held,
                                   std::move(envelope.reverse_path),
                                   {},
                                   {},
                                   message.state.warned};
  pulled.recipients.reserve(message.state.open());
  for (std::uint32_t i = 0; i < envelope.recipients.size(); ++i) {
    if (message.state.is_owing(i)) pulled.owing.push_back(i);
    if (!message.state.is_open(i)) continue;
    const auto* attempted = message.state.find(i);
    pulled.recipients.push_back(
        {i, std::move(envelope.recipients[i]), attempted == nullptr ? 0 : attempted->attempts,
         attempted == nullptr ? WallTime{} : attempted->last.attempted, jobs.in_hand(id, i)});
  }
  return pulled;
}

Result<spool_qmgr::AddressedMessage> addressed_message(spool::Engine& engine, QueueId id) {
  auto envelope = engine.read_envelope(id);
  if (!envelope) return fail_with(std::move(envelope));
  const auto state = engine.find(id)->state;
  spool_qmgr::AddressedMessage message{id, {}};
  message.recipients.reserve(state.open());
  for (std::uint32_t i = 0; i < envelope->recipients.size(); ++i) {
    if (state.is_open(i)) message.recipients.push_back({i, std::move(envelope->recipients[i])});
  }
  return message;
}

Result<spool_admin::Entry> admin_entry(spool::Engine& engine, const JobBook& jobs, QueueId id) {
  auto envelope = engine.read_envelope(id);
  if (!envelope) return fail_with(std::move(envelope));
  auto message = *engine.find(id);
  if (!engine.read_texts(message)) message.state.drop_texts_on_disk();  // a list says what it can
  spool_admin::Entry entry{id,
                           state_of(message, jobs, id),
                           message.content_bytes(),
                           envelope->arrival,
                           std::move(envelope->origin),
                           std::move(envelope->reverse_path),
                           {}};
  for (std::uint32_t i = 0; i < envelope->recipients.size(); ++i) {
    const auto* attempted = message.state.find(i);
    auto& recipient = entry.recipients.emplace_back();
    recipient.index = i;
    recipient.address = std::move(envelope->recipients[i]);
    recipient.finished = !message.state.is_open(i);
    if (attempted != nullptr) {
      recipient.attempts = attempted->attempts;
      recipient.last = attempted->last;
    }
  }
  if (encode(entry).size() > spool_admin::kMaxFrame - kFrameTarget) drop_texts(entry);
  return entry;
}

spool_admin::Listed admin_list(spool::Engine& engine, const JobBook& jobs, const spool_admin::List& list) {
  spool_admin::Listed listed{list.request, {}, 0};
  const auto max = std::min(list.max, spool_admin::kMaxListed);
  const auto found = engine.messages_after(list.after, max);
  std::size_t bytes = 0;
  for (const auto& [position, id] : found) {
    auto entry = admin_entry(engine, jobs, id);
    if (entry) {
      const auto size = encode(*entry).size();
      if (!listed.entries.empty() && bytes + size > kFrameTarget) return listed;
      bytes += size;
      listed.entries.push_back(std::move(*entry));
    }
    listed.position = position;
  }
  if (found.size() < max) listed.position = 0;
  return listed;
}

std::vector<spool_qmgr::Recorded> recorded_frames(const std::vector<spool_qmgr::RecordedMessage>& messages) {
  std::vector<spool_qmgr::Recorded> frames;
  std::size_t bytes = kFrameTarget;  // the first outcome opens the first frame
  for (const auto& message : messages) {
    bool named = false;  // in the current frame
    for (const auto& outcome : message.recipients) {
      const auto size = encode(outcome).size();
      if (bytes + size > kFrameTarget) {
        frames.emplace_back();
        bytes = 0;
        named = false;
      }
      if (!named) frames.back().messages.push_back({message.id, {}});
      named = true;
      bytes += size;
      frames.back().messages.back().recipients.push_back(outcome);
    }
  }
  return frames;
}

}  // namespace sternpost::spool_service

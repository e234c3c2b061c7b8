#include "spool/index.h"

#include <algorithm>
#include <utility>

#include "spool/arrivals.h"

namespace sternpost::spool {
namespace {

constexpr std::uint64_t kDeadEntryBytes = sizeof(QueueId);

}  // namespace

std::uint64_t Index::state_bytes(const Message& message) {
  constexpr std::uint64_t kFields =
      1 + 1 + 1 + 1 + 4 + 4 + 4;  // of a MessageHead, beside what is counted here
  return kRecordHeaderBytes + kFields + message.envelope.envelope_bytes + message.state.record_bytes();
}

std::uint64_t Index::record_bytes(const Message& message) {
  return state_bytes(message) + message.data.content_bytes;
}

bool Index::holds_state(const Message& message, std::uint32_t slot) {
  return message.data.slot == slot ||
         std::ranges::find(message.state_slots, slot) != message.state_slots.end();
}

std::optional<Message> Index::find(QueueId id) const {
  const auto at = live_.find(id);
  if (at == live_.end()) return std::nullopt;
  return at->second.unpack();
}

std::optional<Outline> Index::outline(QueueId id) const {
  const auto at = live_.find(id);
  if (at == live_.end()) return std::nullopt;
  return at->second.outline();
}

const Index::Finished* Index::find_finished(QueueId id) const {
  const auto at = finished_.find(id);
  return at == finished_.end() ? nullptr : &at->second;
}

void Index::put_message(QueueId id, const Place& data, MessageState state, std::uint64_t file_bytes) {
  remembered_.erase(id);
  const Message message{data, data, std::move(state), {}, file_bytes};
  account(message, true);
  const auto [at, fresh] = live_.try_emplace(id, message);
  if (fresh) {
    positions_.emplace_back(next_position_++, id);
    return;
  }
  const auto before = at->second.unpack();
  account(before, false);
  if (before.data.slot != data.slot) extra_copies_[id].push_back(before.data.slot);
  at->second = PackedMessage(message);
}

void Index::put_messages(Arrivals& arrivals) {
  if (arrivals.ids_.empty()) return;
  live_.merge(arrivals.packed_);
  for (const auto id : arrivals.ids_) positions_.emplace_back(next_position_++, id);
  auto& need = need_in(arrivals.slot_);
  need.bytes += arrivals.need_.bytes;
  need.items += arrivals.need_.items;
  file_bytes_ += arrivals.file_bytes_;
  arrivals.clear();
}

void Index::put_copy_of_finished(QueueId id, std::uint32_t slot) {
  account(id, finished_.at(id), false);
  extra_copies_[id].push_back(slot);
  account(id, finished_.at(id), true);
}

void Index::put_doubtful_copy(QueueId id, std::uint32_t slot) {
  if (!live_.contains(id)) return;
  extra_copies_[id].push_back(slot);
  doubtful_copies_[slot].push_back(id);
}

void Index::put_state(QueueId id, std::uint32_t slot, MessageState state, const Place* envelope) {
  const auto at = live_.find(id);
  if (at == live_.end()) return;
  auto message = at->second.unpack();
  account(message, false);
  message.state = std::move(state);
  if (envelope != nullptr) {
    message.envelope = *envelope;
    message.state_slots.clear();
    remembered_.erase(id);
  }
  if (std::ranges::find(message.state_slots, slot) == message.state_slots.end()) {
    message.state_slots.push_back(slot);
  }
  account(message, true);
  at->second = PackedMessage(message);
}

void Index::remember(QueueId id, MessageState state) {
  const auto at = live_.find(id);
  if (at == live_.end()) return;
  auto message = at->second.unpack();
  account(message, false);
  message.state = std::move(state);
  account(message, true);
  at->second = PackedMessage(message);
  remembered_.insert(id);
}

void Index::finish(QueueId id, std::uint32_t slot) {
  if (const auto at = live_.find(id); at != live_.end()) {
    const auto message = at->second.unpack();
    account(message, false);
    if (message.file_bytes > 0) discarded_.push_back(id);
    finished_[id] = {slot, message.data.slot};
    live_.erase(at);
    remembered_.erase(id);
    compact_positions();
  } else if (const auto known = finished_.find(id); known != finished_.end()) {
    account(id, known->second, false);
    known->second.certificate = slot;
  } else {
    return;
  }
  account(id, finished_.at(id), true);
}

std::vector<std::uint32_t> Index::copies(QueueId id) const {
  std::vector<std::uint32_t> slots;
  if (const auto extra = extra_copies_.find(id); extra != extra_copies_.end()) slots = extra->second;
  if (const auto message = outline(id)) {
    slots.push_back(message->data.slot);
  } else if (const auto* finished = find_finished(id)) {
    slots.push_back(finished->copy);
  }
  return slots;
}

void Index::retire(std::uint32_t slot, std::span<const QueueId> ids) {
  for (const auto id : ids) forget_copy(id, slot);
  const auto doubtful = doubtful_copies_.extract(slot);
  if (doubtful.empty()) return;
  for (const auto id : doubtful.mapped()) forget_copy(id, slot);
}

void Index::forget_copy(QueueId id, std::uint32_t slot) {
  const auto finished = finished_.find(id);
  if (finished != finished_.end()) account(id, finished->second, false);
  const auto extra = extra_copies_.find(id);
  if (extra != extra_copies_.end()) {
    std::erase(extra->second, slot);
    if (finished != finished_.end() && finished->second.copy == slot && !extra->second.empty()) {
      finished->second.copy = extra->second.back();
      extra->second.pop_back();
    }
    if (extra->second.empty()) extra_copies_.erase(extra);
  }
  if (finished == finished_.end()) return;
  if (finished->second.copy == slot) {
    finished_.erase(finished);
  } else {
    account(id, finished->second, true);
  }
}

Index::Need Index::need(std::uint32_t slot) const {
  return slot < needs_.size() ? needs_[slot] : Need{};
}

Index::Need& Index::need_in(std::uint32_t slot) {
  if (slot >= needs_.size()) needs_.resize(slot + 1ULL);
  return needs_[slot];
}

void Index::add_need(std::uint32_t slot, std::uint64_t bytes, bool add) {
  auto& need = need_in(slot);
  if (add) {
    need.bytes += bytes;
    ++need.items;
  } else {
    need.bytes -= bytes;
    --need.items;
  }
}

void Index::account(const Message& message, bool add) {
  file_bytes_ += add ? message.file_bytes : 0 - message.file_bytes;
  add_need(message.data.slot, record_bytes(message), add);
  for (const auto slot : message.state_slots) {
    if (slot != message.data.slot) add_need(slot, state_bytes(message), add);
  }
}

void Index::account(QueueId id, const Finished& finished, bool add) {
  const auto where = copies(id);
  const bool elsewhere =
      std::ranges::any_of(where, [&](std::uint32_t slot) { return slot != finished.certificate; });
  if (elsewhere) add_need(finished.certificate, kDeadEntryBytes, add);
}

std::vector<std::pair<std::uint64_t, QueueId>> Index::after(std::uint64_t position, std::size_t max) const {
  std::vector<std::pair<std::uint64_t, QueueId>> found;
  auto at = std::ranges::upper_bound(positions_, position, {}, &std::pair<std::uint64_t, QueueId>::first);
  for (; at != positions_.end() && found.size() < max; ++at) {
    if (live_.contains(at->second)) found.push_back(*at);
  }
  return found;
}

std::vector<QueueId> Index::with_files() const {
  std::vector<QueueId> ids;
  if (file_bytes_ == 0) return ids;
  for (const auto& [id, message] : live_) {
    if (message.outline().file_bytes > 0) ids.push_back(id);
  }
  return ids;
}

void Index::add_finished(std::size_t bucket, std::vector<QueueId>& ids) const {
  for (auto at = finished_.begin(bucket); at != finished_.end(bucket); ++at) ids.push_back(at->first);
}

std::optional<CheckpointEntry> Index::entry(QueueId id) const {
  CheckpointEntry entry{.id = id, .message = {}, .extra_copies = {}};
  if (const auto extra = extra_copies_.find(id); extra != extra_copies_.end()) {
    entry.extra_copies = extra->second;
  }
  if (const auto at = live_.find(id); at != live_.end()) {
    entry.message = at->second.bytes();
  } else if (const auto* finished = find_finished(id)) {
    entry.certificate = finished->certificate;
    entry.copy = finished->copy;
  } else {
    return std::nullopt;
  }
  return entry;
}

void Index::restore(QueueId id, const Message& message, std::vector<std::uint32_t> extra_copies) {
  if (!extra_copies.empty()) extra_copies_[id] = std::move(extra_copies);
  live_.emplace(id, message);
  positions_.emplace_back(next_position_++, id);
  account(message, true);
}

void Index::restore(QueueId id, const Finished& finished, std::vector<std::uint32_t> extra_copies) {
  if (!extra_copies.empty()) extra_copies_[id] = std::move(extra_copies);
  finished_.emplace(id, finished);
  account(id, finished, true);
}

void Index::compact_positions() {
  constexpr std::size_t kSlack = 1024;
  if (positions_.size() < 2 * live_.size() + kSlack) return;
  std::erase_if(positions_, [&](const auto& entry) { return !live_.contains(entry.second); });
}

}  // namespace sternpost::spool

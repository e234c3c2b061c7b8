#include "operations.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sternpost::sim {

std::optional<spool::Op> Operations::next(spool::Engine& engine) {
  const auto live = model_.live();
  if (live.empty() || (live.size() < habits_.target_live && dice_.chance(0.5)) || dice_.chance(0.1))
    return add(engine);
  const auto id = live[dice_.below(live.size())];
  const auto& state = model_.state(id);
  if (state.owing() > 0 && dice_.chance(0.5)) return notice(engine, id);
  if (state.open() > 0 && !state.warned && dice_.chance(0.05)) return notice(engine, id);
  const auto what = dice_.below(20);
  if (what < 13) return outcomes(id);
  if (what < 16) return replace(id);
  if (what < 18) return spool::Op(spool::Hold{id});
  return spool::Op(spool::Release{id});
}

std::optional<spool::Op> Operations::add(spool::Engine& engine) {
  if (leases_.empty()) {
    // Large ones use up the mark within a segment.
    const auto count = static_cast<std::uint32_t>(1 + dice_.below(dice_.chance(0.1) ? 60000 : 20));
    const auto first = engine.lease(count);
    if (!first) {
      ++story_.failed_calls;
      return {};
    }
    model_.leased(*first, count);
    for (std::uint32_t i = 0; i < std::min(count, 20U); ++i)
      leases_.push_back({first->value + count - 1 - i});
  }
  const auto id = leases_.back();
  leases_.pop_back();
  ++story_.messages;
  mail::Envelope envelope;
  envelope.reverse_path = address();
  for (auto n = 1 + dice_.below(4); n > 0; --n) envelope.recipients.push_back(address());
  envelope.arrival = clock_.now();
  envelope.origin = {"ESMTP", "192.0.2.1:25", "client.example", std::string(dice_.below(40), 's')};
  spool::AddMessage message{id, std::move(envelope), content(), dice_.chance(0.1)};
  if (dice_.chance(habits_.large) && !write_file(engine, message)) return {};
  return message;
}

/// Moves the content of a message to a file, longer than what is in the log. What fails is an orphan, or
/// discarded as an intake does that was broken off.
bool Operations::write_file(spool::Engine& engine, spool::AddMessage& message) {
  auto content = std::move(message.content) + std::string(1 + dice_.below(40'000), 'f');
  message.content.clear();
  if (!engine.may_take_content(content.size(), 0)) {
    ++story_.refused_full;
    return false;
  }
  auto writer = spool::ContentWriter::create(disk_, message.id);
  if (!writer) {
    ++story_.failed_calls;
    return false;
  }
  Result<void> done;
  for (std::string_view rest = content; done && !rest.empty();) {
    const auto piece = rest.substr(0, 1 + dice_.below(20'000));
    done = writer->append(piece);
    rest.remove_prefix(piece.size());
  }
  if (done && dice_.chance(0.05)) done = fail(ErrorClass::temporary, "the client went away");
  auto file = done ? writer->finish() : fail_with(Result<void>(done));
  if (file) done = disk_.sync_directory();
  if (!file || !done) {
    ++story_.failed_calls;
    discarded_.push_back(message.id);
    return false;
  }
  ++story_.content_files;
  message.file = *file;
  return true;
}

void Operations::remove_discarded(spool::Engine& engine, double part) {
  for (const auto id : engine.take_discarded()) discarded_.push_back(id);
  std::ranges::shuffle(discarded_, dice_.random());
  for (auto left = discarded_.size(); left > 0; --left) {
    const auto id = discarded_.back();
    if (!dice_.chance(part)) return;
    if (!spool::remove_content(disk_, id)) return;
    discarded_.pop_back();
  }
}

/// Tells the sender of some that failed, or that others are late.
std::optional<spool::Op> Operations::notice(spool::Engine& engine, QueueId about) {
  auto op = add(engine);
  if (!op) return op;
  const auto& state = model_.state(about);
  spool::Settlement settlement{about, {}, !state.warned && state.open() > 0 && dice_.chance(0.3)};
  for (std::uint32_t i = 0; i < state.recipients(); ++i) {
    if (state.is_owing(i) && dice_.chance(0.9)) settlement.recipients.push_back(i);
  }
  if (dice_.chance(0.02)) settlement.recipients.push_back(state.recipients());  // no such recipient
  std::get<spool::AddMessage>(*op).settles = std::move(settlement);
  ++story_.notices;
  return op;
}

mail::Mailbox Operations::address() {
  return *mail::Mailbox::from_wire(fmt::format("user{}@example.org", dice_.below(1000000)));
}

std::string Operations::content() {
  static constexpr std::uint64_t kSizes[] = {1, 600, 4096, 9000, 16000};
  std::string bytes(dice_.below(kSizes[dice_.below(5)]), '\0');
  for (auto& byte : bytes) byte = static_cast<char>(dice_.random()());
  return bytes;
}

spool::Op Operations::outcomes(QueueId id) {
  const auto& state = model_.state(id);
  std::vector<mail::RecipientOutcome> all;
  for (std::uint32_t i = 0; i < state.recipients(); ++i) {
    if (state.is_owing(i) && dice_.chance(0.5))
      all.push_back({i, mail::Disposition::deleted, {}, clock_.now()});
    if (!state.is_open(i) || dice_.chance(0.3)) continue;
    const auto disposition = dice_.chance(habits_.deferring) ? mail::Disposition::deferred
                                                             : static_cast<mail::Disposition>(dice_.below(2));
    const std::string text(dice_.below(habits_.longest_reply + 1), 'r');
    all.push_back({i, disposition, {250, {2, 0, 0}, text}, clock_.now()});
  }
  if (dice_.chance(0.02))
    all.push_back({state.recipients(), mail::Disposition::delivered, {}, {}});  // no such recipient
  if (dice_.chance(0.02))
    all.insert(all.begin(), {0, mail::Disposition::failed, {}, {}});  // maybe done, maybe twice
  return spool::RecordOutcomes{id, std::move(all)};
}

spool::Op Operations::replace(QueueId id) {
  const auto& state = model_.state(id);
  auto envelope = model_.envelope(id);
  for (std::uint32_t i = 0; i < envelope.recipients.size(); ++i) {
    if (state.is_open(i) && dice_.chance(0.3)) envelope.recipients[i] = address();
  }
  if (envelope.recipients.size() < 12) {
    for (auto n = dice_.below(3); n > 0; --n) envelope.recipients.push_back(address());
  }
  return spool::ReplaceEnvelope{id, std::move(envelope)};
}

spool::RecordOutcomes Operations::expiry(QueueId id, const spool::MessageState& state) {
  spool::RecordOutcomes expired{id, {}};
  for (std::uint32_t i = 0; i < state.recipients(); ++i) {
    if (!state.is_open(i)) continue;
    const std::string text(dice_.below(habits_.longest_reply + 1), 'x');
    expired.outcomes.push_back({i, mail::Disposition::failed, {550, {5, 4, 7}, text}, clock_.now()});
  }
  return expired;
}

void Operations::forget() {
  discarded_.clear();
  leases_.clear();
}

}  // namespace sternpost::sim

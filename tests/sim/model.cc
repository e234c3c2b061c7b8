#include "model.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace sternpost::sim {
namespace {

bool is_bounced(const spool::Attempted* one) {
  return one != nullptr && one->last.disposition == mail::Disposition::bounced;
}

spool::ContentFile summary(std::string_view content) {
  return {content.size(), checksum(content, spool::kContentSeed)};
}

}  // namespace

std::vector<Model::Change> Model::changes_of(const spool::Op& op) {
  std::vector<Change> changes{{std::visit([](const auto& any) { return any.id; }, op), op}};
  if (const auto* add = std::get_if<spool::AddMessage>(&op); add != nullptr && add->settles) {
    changes.push_back({add->settles->id, *add->settles});
  }
  return changes;
}

bool Model::apply(const Change& change, Fate& fate) {
  if (const auto* op = std::get_if<spool::Op>(&change.what)) return apply(*op, fate);
  const auto& settlement = std::get<spool::Settlement>(change.what);
  if (!fate || !fate->state.check(settlement)) return false;
  fate->state.apply(settlement);
  if (fate->state.settled()) fate.reset();
  return true;
}

/// Applies an operation to one message. False where it does not apply.
bool Model::apply(const spool::Op& op, Fate& fate) {
  if (const auto* add = std::get_if<spool::AddMessage>(&op)) {
    if (fate) return false;
    fate =
        Expected{add->envelope, add->file ? *add->file : summary(add->content),
                 spool::MessageState(static_cast<std::uint32_t>(add->envelope.recipients.size()), add->held)};
    return true;
  }
  if (!fate) return false;
  if (const auto* outcomes = std::get_if<spool::RecordOutcomes>(&op)) {
    if (!fate->state.check(outcomes->outcomes)) return false;
    fate->state.apply(outcomes->outcomes);
    if (fate->state.settled()) fate.reset();
    return true;
  }
  if (const auto* replace = std::get_if<spool::ReplaceEnvelope>(&op)) {
    const auto& before = fate->envelope.recipients;
    const auto& after = replace->envelope.recipients;
    if (after.size() < before.size()) return false;
    std::vector<std::uint32_t> changed;
    for (std::uint32_t i = 0; i < before.size(); ++i) {
      if (before[i] == after[i]) continue;
      if (!fate->state.is_open(i)) return false;
      changed.push_back(i);
    }
    fate->state.resize(static_cast<std::uint32_t>(after.size()), changed);
    fate->envelope = replace->envelope;
    return true;
  }
  fate->state.held = std::holds_alternative<spool::Hold>(op);
  return true;
}

Model::Fate Model::fate(QueueId id) const {
  const auto at = messages_.find(id);
  return at == messages_.end() ? Fate{} : Fate{at->second};
}

void Model::settle(QueueId id, const Fate& fate, bool existed) {
  if (fate) {
    messages_[id] = *fate;
  } else {
    messages_.erase(id);
    if (existed) finished_.insert(id);
  }
}

bool Model::may_be_forgotten(const spool::Op& op) {
  const auto* outcomes = std::get_if<spool::RecordOutcomes>(&op);
  return outcomes != nullptr && std::ranges::all_of(outcomes->outcomes, [](const auto& one) {
           return one.disposition == mail::Disposition::deferred ||
                  one.disposition == mail::Disposition::failed;
         });
}

Model::Fate Model::without_deferred_texts(Fate fate) {
  if (!fate) return fate;
  auto attempted = fate->state.attempted();
  for (auto& one : attempted) {
    if (one.last.disposition == mail::Disposition::deferred) one.last.drop_texts();
  }
  fate->state = *spool::MessageState::from(fate->state.recipients(), fate->state.held, fate->state.warned,
                                           std::move(attempted));
  return fate;
}

/// What was acknowledged, or refused for good, is as it must be; answers whether the disk was written.
bool Model::acknowledge(const spool::Op& op, bool accepted, bool in_memory) {
  const auto changes = changes_of(op);
  std::vector<Fate> fates;
  bool applies = true;
  for (const auto& change : changes) {
    auto& now = fates.emplace_back(finished_.contains(change.id) ? Fate{} : fate(change.id));
    applies = applies && !finished_.contains(change.id) && apply(change, now);
  }
  if (rotten_ && (!accepted || !applies)) return false;
  if (accepted != applies) {
    throw Violation{fmt::format("{}: {}", to_string(changes.front().id),
                                accepted ? "acknowledged what cannot be" : "refused for good what can be")};
  }
  if (!accepted) return false;
  bool written = false;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const auto id = changes[i].id;
    const auto before = fate(id);
    if (in_memory) loose_.insert(id);
    written = written || (!in_memory && !(before == fates[i]));
    settle(id, fates[i], before.has_value());
    era_.insert(id);
  }
  return written;
}

void Model::committed(const std::vector<spool::Op>& ops, const std::vector<Result<void>>* results,
                      bool some_kept_in_memory) {
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (const auto* add = std::get_if<spool::AddMessage>(&ops[i])) added_.insert(add->id);
    const auto* result = results == nullptr ? nullptr : &(*results)[i];
    if (result == nullptr || (!*result && result->error().what_to_do != ErrorClass::permanent)) {
      open_ops_.push_back(ops[i]);
      continue;
    }
    const bool in_memory = some_kept_in_memory && may_be_forgotten(ops[i]);
    // What failed before cannot come back after a write.
    if (acknowledge(ops[i], result->has_value(), in_memory)) open_ops_.clear();
  }
}

void Model::leased(QueueId first, std::uint32_t count) {
  if (first.value <= highest_id_) throw Violation{fmt::format("id {} was given twice", first.value)};
  highest_id_ = first.value + count - 1;
}

Model::Fate Model::observe(spool::Engine& engine, QueueId id) {
  auto message = engine.find(id);
  if (!message) return {};
  auto found = read(engine, std::move(*message), id);
  if (!found) throw Violation{to_string(id) + ": " + found.error().text};
  return std::move(*found);
}

Result<Model::Expected> Model::read(spool::Engine& engine, spool::Message message, QueueId id) {
  auto envelope = engine.read_envelope(id);
  if (!envelope) return fail_with(std::move(envelope));
  const auto content = engine.read_content(id);
  if (!content) return std::unexpected(content.error());
  if (auto texts = engine.read_texts(message); !texts) return fail_with(std::move(texts));
  return Expected{std::move(*envelope), summary(*content), std::move(message.state)};
}

Model::Found Model::read(spool::Engine& engine) {
  Found all;
  for (const auto& [position, id] : engine.messages_after(0, std::numeric_limits<std::size_t>::max())) {
    if (auto found = read(engine, *engine.find(id), id)) {
      all.whole.emplace(id, std::move(*found));
    } else {
      all.unreadable.insert(id);
    }
  }
  return all;
}

void Model::check_repair(const Found& before, const Found& after) {
  const auto find = [](const Found& found, QueueId id) {
    const auto at = found.whole.find(id);
    return at == found.whole.end() ? Fate{} : Fate{at->second};
  };
  for (const auto& [id, expected] : before.whole) {
    if (const auto now = find(after, id); !explains(expected, now, /*loose=*/false))
      throw Violation{"after a repair, " + difference(id, expected, now)};
  }
  for (const auto& [id, found] : after.whole) {
    if (!before.whole.contains(id) && !before.unreadable.contains(id))
      throw Violation{"after a repair, " + difference(id, {}, found)};
  }
}

void Model::repaired(const Found& found) {
  messages_ = found.whole;
  finished_ = added_;
  for (const auto& [id, message] : messages_) finished_.erase(id);
  open_ops_.clear();
  loose_.clear();
  rotten_ = false;
}

std::string Model::difference(QueueId id, const Fate& expected, const Fate& observed) {
  const auto say = [](const Fate& fate) {
    if (!fate) return std::string("not in the queue");
    std::string text =
        fmt::format("{} bytes, {} recipients, {} open{}", fate->content.bytes, fate->state.recipients(),
                    fate->state.open(), fate->state.held ? ", held" : "");
    for (const auto& one : fate->state.attempted()) {
      text += fmt::format(" [{}: {} attempts, last {}]", one.last.recipient, one.attempts,
                          static_cast<unsigned>(one.last.disposition));
    }
    return text;
  };
  return fmt::format("{}: expected {}; found {}", to_string(id), say(expected), say(observed));
}

/// Whether what a start found is what must be there, but for the texts of replies that nobody needs any more
/// or that had no room, and attempts that were kept in memory.
bool Model::explains(const Fate& expected, const Fate& observed, bool loose) {
  if (observed == expected) return true;
  if (!observed || !expected) return false;
  const auto& was = expected->state;
  const auto& now = observed->state;
  if (!(observed->envelope == expected->envelope) || !(observed->content == expected->content)) return false;
  if (was.held != now.held || was.recipients() != now.recipients()) return false;
  for (std::uint32_t i = 0; i < was.recipients(); ++i) {
    const auto* before = was.find(i);
    const auto* after = now.find(i);
    if (loose && (was.is_open(i) || was.is_owing(i)) && now.is_open(i)) continue;
    if (loose && is_bounced(before) && is_bounced(after)) continue;  // of a failure that is forgotten
    if ((before == nullptr) != (after == nullptr)) return false;
    if (before == nullptr) continue;
    auto last = before->last;
    if (last.disposition != mail::Disposition::failed && after->last.reply.text.empty()) last.drop_texts();
    if (!(after->last == last)) return false;
    if (after->attempts != before->attempts && !loose) return false;
  }
  return true;
}

void Model::adopt_states(spool::Engine& engine) {
  for (auto& [id, expected] : messages_) {
    auto observed = observe(engine, id);
    if (observed && explains(id, Fate{expected}, observed)) expected = std::move(*observed);
  }
  loose_.clear();
}

void Model::check_rotten(spool::Engine& engine) const {
  for (const auto& [position, id] : engine.messages_after(0, std::numeric_limits<std::size_t>::max())) {
    if (!added_.contains(id)) throw Violation{to_string(id) + ": never sent and visible"};
  }
}

/// A notice whose fate was open and what it settles are both there, or neither.
void Model::check_notice(spool::Engine& engine, const spool::AddMessage& notice) const {
  const auto told = engine.find(notice.settles->id);
  const auto base = fate(notice.settles->id);
  if (!told || !base || !base->state.check(*notice.settles)) return;
  const bool is_told = std::ranges::all_of(notice.settles->recipients,
                                           [&](auto i) { return is_bounced(told->state.find(i)); }) &&
                       (told->state.warned || !notice.settles->warns);
  if (engine.was_committed(notice.id) == is_told) return;
  const auto others = std::ranges::count_if(open_ops_, [&](const spool::Op& op) {
    return std::ranges::any_of(changes_of(op),
                               [&](const Change& change) { return change.id == notice.settles->id; });
  });
  if (is_told && others > 1) return;  // by another one
  throw Violation{fmt::format("the notice {} is {} and what it settles is {}", to_string(notice.id),
                              is_told ? "lost" : "there", is_told ? "settled" : "owed")};
}

/// After a recovery: each message is as acknowledged, or as some run of what was not acknowledged leaves it.
void Model::settle_open_ops(spool::Engine& engine) {
  std::map<QueueId, std::vector<Change>> by_id;
  for (const auto& op : open_ops_) {
    for (auto& change : changes_of(op)) by_id[change.id].push_back(std::move(change));
  }
  for (const auto& op : open_ops_) {
    const auto* add = std::get_if<spool::AddMessage>(&op);
    if (add != nullptr && add->settles) check_notice(engine, *add);
  }
  for (const auto& [id, ops] : by_id) {
    if (finished_.contains(id)) continue;  // stays finished; held against below
    const auto observed = observe(engine, id);
    const auto base = fate(id);
    bool explained = explains(id, base, observed);
    bool appeared = base.has_value();
    for (std::size_t first = 0; first < ops.size() && !explained; ++first) {
      auto now = base;
      for (auto i = first; i < ops.size() && !explained; ++i) {
        if (apply(ops[i], now)) appeared = true;
        explained = explains(id, now, observed) && appeared;
      }
    }
    if (!explained) throw Violation{"after recovery, " + difference(id, base, observed)};
    settle(id, observed, appeared && !(observed == base));
    if (observed) era_.insert(id);
  }
  open_ops_.clear();
}

/// What is acknowledged is there as it was; of attempts that were kept in memory, texts may be missing.
bool Model::is_same(QueueId id, const Fate& expected, const Fate& observed) const {
  if (observed == expected) return true;
  return loose_.contains(id) && without_deferred_texts(observed) == without_deferred_texts(expected);
}

void Model::check(spool::Engine& engine) {
  if (rotten_) return check_rotten(engine);
  if (recovered_) {
    recovered_ = false;
    era_.clear();
    if (!engine.recovery().quarantined.empty()) {
      const auto& first = engine.recovery().quarantined.front();
      throw Violation{fmt::format("recovery quarantined {} at {}: {}", first.file, first.offset, first.why)};
    }
    settle_open_ops(engine);
    adopt_states(engine);
    for (const auto& [id, expected] : messages_) era_.insert(id);
  }
  if (engine.stats().quarantined > 0) throw Violation{"a segment was quarantined"};
  for (const auto& [id, expected] : messages_) {
    if (auto observed = observe(engine, id); !is_same(id, expected, observed)) {
      throw Violation{difference(id, expected, observed)};
    }
  }
  const auto all = engine.messages_after(0, std::numeric_limits<std::size_t>::max());
  for (const auto& [position, id] : all) {
    if (finished_.contains(id)) throw Violation{to_string(id) + ": finished and open again"};
    if (!messages_.contains(id)) throw Violation{to_string(id) + ": never acknowledged and visible"};
  }
  if (all.size() != messages_.size()) throw Violation{"the list of messages is not complete"};
  for (const auto id : era_) {
    if (!engine.was_committed(id)) throw Violation{to_string(id) + ": acknowledged and denied"};
  }
}

std::vector<QueueId> Model::live() const {
  std::vector<QueueId> ids;
  for (const auto& [id, expected] : messages_) ids.push_back(id);
  return ids;
}

}  // namespace sternpost::sim

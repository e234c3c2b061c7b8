#include "service/spool/intake_desk.h"

#include <algorithm>
#include <cerrno>
#include <string>

#include "service/spool/replies.h"
#include "service/spool/views.h"

namespace sternpost::spool_service {
namespace {

/// Runs of ids that one channel may hold, leased and not used; the lowest are forgotten beyond it.
constexpr std::size_t kMaxLeases = kMaxPartial;

/// Whether `more` fits beside `own` of `all`, so that as much as anybody has is left for the others; nobody
/// has to leave any of his first `least`.
bool fits(std::uint64_t more, std::uint64_t own, std::uint64_t all, std::uint64_t limit,
          std::uint64_t least) {
  const auto used = all + more;
  return used <= limit && own + more <= std::max(least, limit - used);
}

}  // namespace

WallTime not_later_than_now(WallTime named) {
  return std::clamp(named, WallTime{}, wall_now());
}

IntakeDesk::Intake::Intake() : leased(kMaxLeases) {}

void IntakeDesk::leased(ChannelId channel, QueueId first, std::uint32_t count) {
  auto& ids = intakes_[channel].leased;
  for (std::uint32_t i = 0; i < count; ++i) ids.insert({first.value + i});
}

Result<IntakeDesk::Intake*> IntakeDesk::intake_of(ChannelId channel, QueueId id) {
  const auto at = intakes_.find(channel);
  if (at == intakes_.end() || !at->second.leased.contains(id)) {
    return fail(ErrorClass::peer, "queue id " + to_string(id) + " was not leased to this channel");
  }
  return &at->second;
}

void IntakeDesk::begin_file(ChannelId channel) {
  ++shares_[channel].files;
  ++all_.files;
}

void IntakeDesk::buffer(ChannelId channel, QueueId id, std::uint64_t bytes) {
  auto& one = buffered_[id];
  one.channel = channel;
  one.bytes += bytes;
  shares_[channel].bytes += bytes;
  all_.bytes += bytes;
}

void IntakeDesk::drop(ChannelId channel, const Share& share) {
  const auto at = shares_.find(channel);
  for (auto* from : {&at->second, &all_}) {
    from->bytes -= share.bytes;
    from->files -= share.files;
  }
  if (at->second.bytes == 0 && at->second.files == 0) shares_.erase(at);
}

/// True where there was one, which is to be removed.
bool IntakeDesk::give_up_file(Partial& partial) {
  if (!std::exchange(partial.has_file, false)) return false;
  being_written_ -= partial.received;
  drop(partial.channel, {0, 1});
  return true;
}

bool IntakeDesk::has_room(ChannelId channel, std::uint64_t bytes, std::size_t files) const {
  const auto at = shares_.find(channel);
  const auto own = at == shares_.end() ? Share{} : at->second;
  const bool memory =
      fits(bytes, own.bytes, all_.bytes, limits_.max_buffered_bytes, spool_intake::kWindowBytes);
  return memory && (files == 0 || fits(files, own.files, all_.files, limits_.max_large, 0));
}

/// Why no more is taken of it; code 0 where it is.
mail::Reply IntakeDesk::refusal_of(const Partial& partial, std::size_t more) const {
  if (partial.refused.code != 0) return partial.refused;
  if (partial.received + more > limits_.max_message_bytes) return message_too_large();
  if (!has_room(partial.channel, more, partial.has_file ? 0 : 1)) return no_memory();
  if (const auto may = may_take_(more, being_written_); !may) return reply_for(may.error());
  return {};
}

Result<IntakeDesk::PieceStep> IntakeDesk::take(ChannelId channel, const spool_intake::Piece& piece) {
  auto intake = intake_of(channel, piece.id);
  if (!intake) return fail_with(std::move(intake));
  const auto size = piece.bytes.size();
  if (size != spool_intake::kPieceBytes) {
    return fail(ErrorClass::peer, "a piece has " + std::to_string(size) + " octets");
  }
  const auto [at, begun] = partial_.try_emplace(piece.id, Partial{.channel = channel, .refused = {}});
  if (begun && ++(*intake)->partials > kMaxPartial) {
    return fail(ErrorClass::peer, "pieces of too many messages");
  }
  auto& partial = at->second;
  if (partial.received - partial.taken + size > spool_intake::kWindowBytes) {
    return fail(ErrorClass::peer, "more pieces than the window has room for");
  }
  PieceStep step;
  if (auto refusal = refusal_of(partial, size); refusal.code == 0) {
    if (!std::exchange(partial.has_file, true)) begin_file(channel);
    being_written_ += size;
    buffer(channel, piece.id, size);
    step.write = true;
  } else {
    step.remove_file = give_up_file(partial);
    partial.refused = std::move(refusal);
    partial.taken += size;
    step.taken = spool_intake::Taken{piece.id, partial.taken};
  }
  partial.received += size;
  return step;
}

std::optional<IntakeDesk::Told> IntakeDesk::written(QueueId id, std::size_t bytes,
                                                    const Result<void>& result) {
  const auto buffered = buffered_.find(id);
  drop(buffered->second.channel, {bytes, 0});
  buffered->second.bytes -= bytes;
  if (buffered->second.bytes == 0) buffered_.erase(buffered);
  const auto at = partial_.find(id);
  if (at == partial_.end()) return std::nullopt;
  auto& partial = at->second;
  partial.taken += bytes;
  Told told{partial.channel, {id, partial.taken}};
  if (!result && partial.refused.code == 0) {
    told.remove_file = give_up_file(partial);
    partial.refused = reply_for(result.error());
  }
  return told;
}

Result<bool> IntakeDesk::take(ChannelId channel, const spool_intake::Abandon& abandon) {
  auto intake = intake_of(channel, abandon.id);
  if (!intake) return fail_with(std::move(intake));
  (*intake)->leased.erase(abandon.id);
  auto node = partial_.extract(abandon.id);
  if (node.empty()) return false;
  --(*intake)->partials;
  return give_up_file(node.mapped());
}

Result<IntakeDesk::Taken> IntakeDesk::take(ChannelId channel, spool_intake::Commit&& commit) {
  auto intake = intake_of(channel, commit.id);
  if (!intake) return fail_with(std::move(intake));
  if (commit.envelope.recipients.empty()) return fail(ErrorClass::peer, "a message without recipients");
  const auto last = commit.last_piece.size();
  if (last > spool_intake::kPieceBytes) return fail(ErrorClass::peer, "a piece is too large");
  if (!fits_in_frames(commit.envelope)) {
    auto abandoned = take(channel, spool_intake::Abandon{commit.id});
    return Refused{too_many_recipients(), *abandoned};
  }
  (*intake)->leased.erase(commit.id);
  spool::AddMessage message{commit.id, std::move(commit.envelope), std::move(commit.last_piece), commit.held};
  auto node = partial_.extract(commit.id);
  if (node.empty()) {  // the usual way: all of the message in one frame
    if (last > limits_.max_message_bytes) return Refused{message_too_large()};
    return message;
  }
  --(*intake)->partials;
  auto& partial = node.mapped();
  if (auto refusal = refusal_of(partial, last); refusal.code != 0) {
    return Refused{std::move(refusal), give_up_file(partial)};
  }
  being_written_ += last;
  finish(channel, message, partial.received + last);
  return Large{std::move(message)};
}

/// The file was begun, and what the message has in memory goes when finished() says so.
void IntakeDesk::finish(ChannelId channel, const spool::AddMessage& message, std::uint64_t file_bytes) {
  buffer(channel, message.id, message.content.size() + encode(message.envelope).size());
  buffered_.at(message.id).file_bytes = file_bytes;
}

Result<void> IntakeDesk::take(const spool::AddMessage& notice) {
  const auto bytes = notice.content.size();
  if (!has_room(kNotices, 0, 1)) return fail(ErrorClass::temporary, "no memory for the notice", ENOMEM);
  if (auto may = may_take_(bytes, being_written_); !may) return may;
  begin_file(kNotices);
  being_written_ += bytes;
  finish(kNotices, notice, bytes);
  return {};
}

void IntakeDesk::finished(QueueId id) {
  const auto node = buffered_.extract(id);
  const auto& [channel, bytes, file_bytes] = node.mapped();
  being_written_ -= file_bytes;
  drop(channel, {bytes, 1});
}

std::vector<QueueId> IntakeDesk::closed(ChannelId channel) {
  std::vector<QueueId> files;
  for (auto& [id, partial] : partial_) {
    if (partial.channel == channel && give_up_file(partial)) files.push_back(id);
  }
  std::erase_if(partial_, [&](const auto& entry) { return entry.second.channel == channel; });
  intakes_.erase(channel);
  return files;
}

}  // namespace sternpost::spool_service

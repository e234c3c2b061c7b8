#include "service/spool/intake_desk.h"

#include <algorithm>
#include <tuple>

#include "service/spool/replies.h"
#include "service/spool/views.h"

namespace sternpost::spool_service {
namespace {

/// Runs of ids that one channel may hold, leased and not used; the lowest are forgotten beyond it. As many as
/// it may have sessions.
constexpr std::size_t kMaxLeases = 65'536;
/// Messages of which only pieces are there, those included that are refused.
constexpr std::size_t kMaxPartial = kMaxLeases;

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

void IntakeDesk::refuse(Partial& partial, mail::Reply reply) {
  being_written_ -= partial.received;
  partial.refused = std::move(reply);
}

/// Why no more is taken of it; code 0 where it is.
mail::Reply IntakeDesk::refusal_of(const Partial& partial, std::size_t more) const {
  if (partial.refused.code != 0) return partial.refused;
  if (partial.received + more > limits_.max_message_bytes) return message_too_large();
  const bool one_too_many = partial.received == 0 && partial_.size() > kMaxLargeAtOnce;
  if (one_too_many || buffered_ + more > limits_.max_buffered_bytes) return no_memory();
  if (const auto may = may_take_(more, being_written_); !may) return reply_for(may.error());
  return {};
}

Result<IntakeDesk::PieceStep> IntakeDesk::take(ChannelId channel, const spool_intake::Piece& piece) {
  if (auto intake = intake_of(channel, piece.id); !intake) return fail_with(std::move(intake));
  const auto size = piece.bytes.size();
  if (size > spool_intake::kPieceBytes) return fail(ErrorClass::peer, "a piece is too large");
  if (partial_.size() >= kMaxPartial && !partial_.contains(piece.id)) {
    return fail(ErrorClass::peer, "pieces of too many messages");
  }
  auto& partial = partial_.try_emplace(piece.id, Partial{channel, 0, 0, {}}).first->second;
  if (partial.received - partial.taken + size > spool_intake::kWindowBytes) {
    return fail(ErrorClass::peer, "more pieces than the window has room for");
  }
  auto refusal = refusal_of(partial, size);
  const bool refused_before = partial.refused.code != 0;
  if (refusal.code == 0) {
    partial.received += size;
    being_written_ += size;
    buffered_ += size;
    return PieceStep{.write = true, .remove_file = false, .taken = std::nullopt};
  }
  const bool remove_file = !refused_before && partial.received > 0;
  if (!refused_before) refuse(partial, std::move(refusal));
  partial.received += size;
  partial.taken += size;
  return PieceStep{
      .write = false, .remove_file = remove_file, .taken = spool_intake::Taken{piece.id, partial.taken}};
}

std::optional<IntakeDesk::Told> IntakeDesk::written(QueueId id, std::size_t bytes,
                                                    const Result<void>& result) {
  buffered_ -= bytes;
  const auto at = partial_.find(id);
  if (at == partial_.end()) return std::nullopt;
  auto& partial = at->second;
  if (!result && partial.refused.code == 0) refuse(partial, reply_for(result.error()));
  partial.taken += bytes;
  return Told{partial.channel, {id, partial.taken}};
}

Result<bool> IntakeDesk::take(ChannelId channel, const spool_intake::Abandon& abandon) {
  auto intake = intake_of(channel, abandon.id);
  if (!intake) return fail_with(std::move(intake));
  (*intake)->leased.erase(abandon.id);
  const auto node = partial_.extract(abandon.id);
  if (node.empty() || node.mapped().refused.code != 0) return false;
  being_written_ -= node.mapped().received;
  return true;
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
  const auto node = partial_.extract(commit.id);
  if (node.empty()) {  // the usual way: all of the message in one frame
    if (last > limits_.max_message_bytes) return Refused{message_too_large()};
    return message;
  }
  const auto& partial = node.mapped();
  if (partial.refused.code != 0) return Refused{partial.refused};
  if (auto refusal = refusal_of(partial, last); refusal.code != 0) {
    being_written_ -= partial.received;
    return Refused{std::move(refusal), true};
  }
  being_written_ += last;
  return Large{std::move(message), partial.received + last};
}

std::vector<QueueId> IntakeDesk::closed(ChannelId channel) {
  std::vector<QueueId> files;
  std::erase_if(partial_, [&](const auto& entry) {
    const auto& [id, partial] = entry;
    if (partial.channel != channel) return false;
    if (partial.refused.code == 0) {
      being_written_ -= partial.received;
      files.push_back(id);
    }
    return true;
  });
  intakes_.erase(channel);
  return files;
}

}  // namespace sternpost::spool_service

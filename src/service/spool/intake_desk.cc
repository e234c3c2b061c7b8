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
/// Messages of one channel of which only pieces are there.
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
  buffered_ -= partial.bytes.size();
  partial.bytes = {};
  partial.refused = std::move(reply);
}

void IntakeDesk::append(Partial& partial, std::string_view bytes) {
  if (partial.refused.code != 0) return;
  if (partial.bytes.size() + bytes.size() > limits_.max_message_bytes)
    return refuse(partial, message_too_large());
  if (buffered_ + bytes.size() > limits_.max_buffered_bytes) return refuse(partial, no_memory());
  partial.bytes += bytes;
  buffered_ += bytes.size();
}

Result<void> IntakeDesk::take(ChannelId channel, spool_intake::Piece&& piece) {
  auto intake = intake_of(channel, piece.id);
  if (!intake) return fail_with(std::move(intake));
  if (piece.bytes.size() > spool_intake::kPieceBytes) return fail(ErrorClass::peer, "a piece is too large");
  auto& partial = (*intake)->partial;
  if (partial.size() >= kMaxPartial && !partial.contains(piece.id)) {
    return fail(ErrorClass::peer, "pieces of too many messages");
  }
  append(partial[piece.id], piece.bytes);
  return {};
}

Result<void> IntakeDesk::take(ChannelId channel, const spool_intake::Abandon& abandon) {
  auto intake = intake_of(channel, abandon.id);
  if (!intake) return fail_with(std::move(intake));
  (*intake)->leased.erase(abandon.id);
  auto& partial = (*intake)->partial;
  if (const auto at = partial.find(abandon.id); at != partial.end()) {
    buffered_ -= at->second.bytes.size();
    partial.erase(at);
  }
  return {};
}

Result<IntakeDesk::Taken> IntakeDesk::take(ChannelId channel, spool_intake::Commit&& commit) {
  auto intake = intake_of(channel, commit.id);
  if (!intake) return fail_with(std::move(intake));
  if (commit.envelope.recipients.empty()) return fail(ErrorClass::peer, "a message without recipients");
  if (commit.last_piece.size() > spool_intake::kPieceBytes)
    return fail(ErrorClass::peer, "a piece is too large");
  auto& all = (*intake)->partial;
  if (!fits_in_frames(commit.envelope)) {
    std::ignore = take(channel, spool_intake::Abandon{commit.id});
    return too_many_recipients();
  }
  (*intake)->leased.erase(commit.id);
  const auto at = all.find(commit.id);
  if (at == all.end()) {  // the usual way: all of the message in one frame
    if (commit.last_piece.size() > limits_.max_message_bytes) return message_too_large();
    return spool::AddMessage{commit.id, std::move(commit.envelope), std::move(commit.last_piece),
                             commit.held};
  }
  append(at->second, commit.last_piece);
  auto partial = std::move(at->second);
  all.erase(at);
  buffered_ -= partial.bytes.size();
  if (partial.refused.code != 0) return partial.refused;
  return spool::AddMessage{commit.id, std::move(commit.envelope), std::move(partial.bytes), commit.held};
}

void IntakeDesk::closed(ChannelId channel) {
  const auto at = intakes_.find(channel);
  if (at == intakes_.end()) return;
  for (const auto& [id, partial] : at->second.partial) buffered_ -= partial.bytes.size();
  intakes_.erase(at);
}

}  // namespace sternpost::spool_service

#include "protocol/smtp/message_intake.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sternpost::smtp {
namespace {

constexpr std::size_t kUsualMessage = 8192;

}  // namespace

void MessageIntake::begin(const ServerLimits& limits, LineEnd line_end, QueueId id, std::string trace,
                          std::uint64_t expected) {
  limits_ = &limits;
  reader_ = ContentReader(line_end, limits.max_text_line);
  hops_ = {};
  id_ = id;
  content_ = std::move(trace);
  bytes_ = 0;
  discarding_ = false;
  pieces_sent_ = false;
  const auto wanted = expected == 0 ? kUsualMessage : expected;
  content_.reserve(content_.size() +
                   static_cast<std::size_t>(std::min<std::uint64_t>(wanted, limits.piece_bytes)));
}

std::size_t MessageIntake::take(std::string_view input, std::vector<Action>& actions) {
  const auto before = content_.size();
  const auto taken = reader_.read(input, content_);
  const auto added = std::string_view(content_).substr(before);
  bytes_ += added.size();
  if (!discarding_ && !hops_.header_ended()) hops_.feed(added);
  if (discarding_ || fault()) {
    abandon(actions);
  } else {
    send_pieces(actions);
  }
  return taken;
}

void MessageIntake::abandon(std::vector<Action>& actions) {
  if (std::exchange(pieces_sent_, false)) actions.emplace_back(Abandon{id_});
  if (!std::exchange(discarding_, true)) content_ = {};
  content_.clear();
}

void MessageIntake::send_pieces(std::vector<Action>& actions) {
  while (content_.size() > limits_->piece_bytes) {
    auto rest = content_.substr(limits_->piece_bytes);
    content_.resize(limits_->piece_bytes);
    actions.emplace_back(SendPiece{id_, std::exchange(content_, std::move(rest))});
    pieces_sent_ = true;
  }
}

std::optional<MessageFault> MessageIntake::fault() const {
  const auto& faults = reader_.faults();
  const auto malformed = [&](std::string_view what) {
    return MessageFault{{550, {5, 6, 0}, fmt::format("Message refused: {}", what)}, limits_->rules.normalize};
  };
  if (bytes_ > limits_->max_message_bytes) {
    return MessageFault{
        {552, {5, 3, 4}, fmt::format("Message is larger than {} octets", limits_->max_message_bytes)},
        limits_->rules.max_message};
  }
  if (faults.bare_lf) return malformed("it has a bare LF, and lines end in CRLF");
  if (faults.bare_cr) return malformed("it has a bare CR, and lines end in CRLF");
  if (faults.nul) return malformed("it has a NUL octet");
  if (faults.long_line) {
    return MessageFault{
        {550, {5, 6, 0}, fmt::format("Message has a line longer than {} octets", limits_->max_text_line)},
        limits_->rules.max_text_line};
  }
  if (hops_.hops() > limits_->max_hops) {
    return MessageFault{
        {554, {5, 4, 6}, fmt::format("Message loops: it passed more than {} servers", limits_->max_hops)},
        limits_->rules.max_hops};
  }
  return std::nullopt;
}

}  // namespace sternpost::smtp

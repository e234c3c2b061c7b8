#include "runtime/agent/agent_desk.h"

#include <utility>

namespace sternpost {

Result<void> AgentDesk::count(std::size_t bytes) {
  if (bytes > kMaxBytes - bytes_) return fail(ErrorClass::peer, "more content than an agent holds");
  bytes_ += bytes;
  return {};
}

Result<void> AgentDesk::take_piece(spool_agent::Piece&& piece) {
  if (auto counted = count(piece.bytes.size()); !counted) return counted;
  auto& content = pieces_[piece.job];
  if (pieces_.size() > kMaxJobs) return fail(ErrorClass::peer, "content of too many jobs");
  content.append(piece.bytes);
  return {};
}

Result<void> AgentDesk::check_file(const spool_agent::Job& job) const {
  if (job.file.has_value() != (job.descriptor != nullptr)) {
    return fail(ErrorClass::peer, "a job with a file or a descriptor, but not with both");
  }
  if (!job.file) return {};
  if (!job.last_piece.empty() || pieces_.contains(job.job)) {
    return fail(ErrorClass::peer, "a job with pieces beside its file");
  }
  if (files_ >= kMaxFiles) return fail(ErrorClass::peer, "more files than an agent holds");
  return {};
}

Result<void> AgentDesk::take_job(spool_agent::Job&& job) {
  if (jobs_.size() >= kMaxJobs) return fail(ErrorClass::peer, "too many jobs");
  if (auto checked = check_file(job); !checked) return checked;
  if (auto counted = count(job.last_piece.size()); !counted) return counted;
  const auto [at, fresh] = jobs_.try_emplace(job.job);
  if (!fresh) return fail(ErrorClass::peer, "a job that is in hand already");
  auto& in_hand = at->second;
  in_hand.id = job.id;
  in_hand.recipients.reserve(job.recipients.size());
  for (const auto& recipient : job.recipients) in_hand.recipients.push_back(recipient.index);

  WaitingJob waiting;
  if (auto earlier = pieces_.extract(job.job); !earlier.empty()) {
    waiting.content = std::move(earlier.mapped());
    waiting.content.append(job.last_piece);
  } else {
    waiting.content = std::move(job.last_piece);
  }
  job.last_piece = {};
  in_hand.bytes = waiting.content.size();
  in_hand.file = job.file.has_value();
  files_ += in_hand.file ? 1 : 0;
  waiting.job = std::move(job);
  waiting_.push_back(std::move(waiting));
  return {};
}

WaitingJob AgentDesk::begin() {
  auto taken = std::move(waiting_.front());
  waiting_.pop_front();
  return taken;
}

void AgentDesk::release_content(InHand& in_hand) {
  bytes_ -= std::exchange(in_hand.bytes, 0);
  files_ -= std::exchange(in_hand.file, false) ? 1 : 0;
}

void AgentDesk::finish(spool_agent::Outcome&& outcome) {
  auto& in_hand = jobs_.at(outcome.job);
  release_content(in_hand);
  in_hand.outcome = std::move(outcome);
}

void AgentDesk::forget(spool_agent::JobId job) {
  const auto at = jobs_.find(job);
  release_content(at->second);
  jobs_.erase(at);
}

Result<void> AgentDesk::recorded(const std::vector<spool_agent::JobId>& jobs) {
  for (const auto number : jobs) {
    const auto at = jobs_.find(number);
    if (at == jobs_.end() || !at->second.outcome) {
      return fail(ErrorClass::peer, "an acknowledgement of a job without outcome");
    }
    jobs_.erase(at);
  }
  return {};
}

std::vector<spool_agent::InHand> AgentDesk::announce() {
  for (const auto& [job, content] : pieces_) bytes_ -= content.size();
  pieces_.clear();
  std::vector<spool_agent::InHand> frames(1);
  std::size_t bytes = 0;
  for (const auto& [number, in_hand] : jobs_) {
    if (bytes > kAnnounceBytes) {
      frames.back().last = false;
      frames.emplace_back();
      bytes = 0;
    }
    frames.back().jobs.push_back({number, in_hand.id, in_hand.recipients});
    bytes += sizeof(spool_agent::JobInHand) + in_hand.recipients.size() * sizeof(std::uint32_t);
  }
  return frames;
}

std::vector<spool_agent::Outcome> AgentDesk::unacknowledged() const {
  std::vector<spool_agent::Outcome> outcomes;
  for (const auto& [number, in_hand] : jobs_) {
    if (in_hand.outcome) outcomes.push_back(*in_hand.outcome);
  }
  return outcomes;
}

}  // namespace sternpost

#include "service/virtual/job_desk.h"

#include <utility>

namespace sternpost::virtual_mailbox {

using spool_agent::Outcome;

Outcome to_outcome(const FinishedJob& job) {
  Outcome outcome{job.job, {}};
  outcome.recipients.reserve(job.recipients.size());
  for (const auto& recipient : job.recipients) outcome.recipients.push_back(recipient.outcome);
  return outcome;
}

Result<void> JobDesk::take_piece(spool_agent::Piece&& piece) {
  bytes_ += piece.bytes.size();
  if (bytes_ > kMaxBytes) return fail(ErrorClass::peer, "more content than an agent holds");
  auto& content = pieces_[piece.job];
  if (pieces_.size() > kMaxJobs) return fail(ErrorClass::peer, "content of too many jobs");
  content.append(piece.bytes);
  return {};
}

Result<void> JobDesk::take_job(spool_agent::Job&& job) {
  if (in_hand_.size() >= kMaxJobs) return fail(ErrorClass::peer, "too many jobs");
  if (!in_hand_.insert(job.job).second) return fail(ErrorClass::peer, "a job that is in hand already");
  bytes_ += job.last_piece.size();
  if (bytes_ > kMaxBytes) return fail(ErrorClass::peer, "more content than an agent holds");

  WaitingJob waiting;
  if (auto earlier = pieces_.extract(job.job); !earlier.empty()) {
    waiting.content = std::move(earlier.mapped());
    waiting.content.append(job.last_piece);
  } else {
    waiting.content = std::move(job.last_piece);
  }
  job.last_piece = {};
  waiting.job = std::move(job);
  waiting_.push_back(std::move(waiting));
  return {};
}

std::vector<spool_agent::InHand> JobDesk::announce() {
  for (const auto& [job, content] : pieces_) bytes_ -= content.size();
  pieces_.clear();
  std::vector<spool_agent::InHand> frames(1);
  std::size_t bytes = 0;
  auto add = [&](spool_agent::JobId number, QueueId id, const auto& recipients, auto index_of) {
    if (bytes > kAnnounceBytes) {
      frames.back().last = false;
      frames.emplace_back();
      bytes = 0;
    }
    auto& announced = frames.back().jobs.emplace_back();
    announced.job = number;
    announced.id = id;
    for (const auto& recipient : recipients) announced.recipients.push_back(index_of(recipient));
    bytes += sizeof(announced) + recipients.size() * sizeof(std::uint32_t);
  };
  for (const auto& [number, job] : finished_) {
    add(number, job.id, job.recipients, [](const Delivered& one) { return one.outcome.recipient; });
  }
  for (const auto& [job, content] : waiting_) {
    add(job.job, job.id, job.recipients, [](const spool_agent::JobRecipient& one) { return one.index; });
  }
  return frames;
}

std::vector<Outcome> JobDesk::unacknowledged() const {
  std::vector<Outcome> outcomes;
  outcomes.reserve(finished_.size());
  for (const auto& [number, job] : finished_) outcomes.push_back(to_outcome(job));
  return outcomes;
}

void JobDesk::plan(const WaitingJob& waiting, FinishedJob& finished, std::vector<delivery::Delivery>& batch,
                   WallTime now) {
  const auto& job = waiting.job;
  finished = {job.job, job.id, job.arrival, job.reverse_path, {}};
  finished.recipients.reserve(job.recipients.size());
  for (const auto& recipient : job.recipients) {
    auto& planned = finished.recipients.emplace_back();
    planned.address = recipient.address;
    planned.outcome.recipient = recipient.index;
    planned.outcome.attempted = now;
    auto folder = map_.find(recipient.address);
    if (!folder) {
      planned.outcome.disposition = mail::Disposition::failed;
      planned.outcome.reply = {550, {5, 1, 1}, "no such mailbox here"};
      continue;
    }
    planned.folder = std::move(folder->path);
    planned.rule = std::move(folder->rule);
    batch.push_back({.folder = planned.folder,
                     .id = job.id,
                     .arrival = job.arrival,
                     .reverse_path = job.reverse_path,
                     .recipient = recipient.index,
                     .address = recipient.address,
                     .content = waiting.content});
  }
}

std::vector<Outcome> JobDesk::work(const Deliver& deliver, WallTime now) {
  std::size_t jobs = 0;
  for (std::size_t files = 0; jobs < waiting_.size(); ++jobs) {
    files += waiting_[jobs].job.recipients.size();
    if (jobs > 0 && files > max_batch_) break;
  }
  std::vector<FinishedJob> done(jobs);
  std::vector<delivery::Delivery> batch;
  for (std::size_t i = 0; i < jobs; ++i) plan(waiting_[i], done[i], batch, now);
  auto results = deliver(batch);

  auto result = results.begin();
  std::vector<Outcome> outcomes;
  outcomes.reserve(jobs);
  for (auto& job : done) {
    for (auto& recipient : job.recipients) {
      if (recipient.folder.empty()) continue;
      recipient.outcome.disposition = result->disposition;
      recipient.outcome.reply = std::move(result->reply);
      recipient.file = std::move(result->file);
      recipient.found_earlier = result->found_earlier;
      ++result;
    }
    outcomes.push_back(to_outcome(job));
    finished_.emplace(job.job, std::move(job));
  }
  for (std::size_t i = 0; i < jobs; ++i) {
    bytes_ -= waiting_.front().content.size();
    waiting_.pop_front();
  }
  return outcomes;
}

Result<std::vector<FinishedJob>> JobDesk::recorded(const std::vector<spool_agent::JobId>& jobs) {
  std::vector<FinishedJob> acknowledged;
  acknowledged.reserve(jobs.size());
  for (const auto number : jobs) {
    auto node = finished_.extract(number);
    if (node.empty()) return fail(ErrorClass::peer, "an acknowledgement of a job without outcome");
    in_hand_.erase(number);
    acknowledged.push_back(std::move(node.mapped()));
  }
  return acknowledged;
}

}  // namespace sternpost::virtual_mailbox

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
  std::vector<WaitingJob> jobs;
  std::size_t files = 0;
  while (const auto* next = desk_.next()) {
    files += next->job.recipients.size();
    if (!jobs.empty() && files > max_batch_) break;
    jobs.push_back(desk_.begin());
  }
  std::vector<FinishedJob> done(jobs.size());
  std::vector<delivery::Delivery> batch;
  for (std::size_t i = 0; i < jobs.size(); ++i) plan(jobs[i], done[i], batch, now);
  auto results = deliver(batch);

  auto result = results.begin();
  std::vector<Outcome> outcomes;
  outcomes.reserve(jobs.size());
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
    desk_.finish(to_outcome(job));
    finished_.emplace(job.job, std::move(job));
  }
  return outcomes;
}

Result<std::vector<FinishedJob>> JobDesk::recorded(const std::vector<spool_agent::JobId>& jobs) {
  if (auto taken = desk_.recorded(jobs); !taken) return fail_with(std::move(taken));
  std::vector<FinishedJob> acknowledged;
  acknowledged.reserve(jobs.size());
  for (const auto number : jobs) acknowledged.push_back(std::move(finished_.extract(number).mapped()));
  return acknowledged;
}

}  // namespace sternpost::virtual_mailbox

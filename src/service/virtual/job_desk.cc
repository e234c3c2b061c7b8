#include "service/virtual/job_desk.h"

#include <optional>
#include <utility>

#include "runtime/agent/content_file.h"

namespace sternpost::virtual_mailbox {

using spool_agent::Outcome;

namespace {

/// Why a job's file cannot be read; nothing where all of it can. What is in memory is not looked at.
std::optional<spool_agent::Unreadable> check_content(const spool_agent::Job& job) {
  if (!job.file) return {};
  ContentFile content(job.descriptor, *job.file);
  while (!content.ended()) {
    if (const auto piece = content.next(); !piece) return to_unreadable(job.job, piece.error());
  }
  return {};
}

}  // namespace

Outcome to_outcome(const FinishedJob& job) {
  Outcome outcome{job.job, {}};
  outcome.recipients.reserve(job.recipients.size());
  for (const auto& recipient : job.recipients) outcome.recipients.push_back(recipient.outcome);
  return outcome;
}

JobDesk::Begun JobDesk::plan(WaitingJob&& waiting, std::vector<delivery::Delivery>& batch,
                             WallTime now) const {
  auto& job = waiting.job;
  Begun begun{take_content(waiting), {job.job, job.id, job.arrival, job.reverse_path, {}}};
  begun.finished.recipients.reserve(job.recipients.size());
  for (const auto& recipient : job.recipients) {
    auto& planned = begun.finished.recipients.emplace_back();
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
                     .content = begun.content.get()});
  }
  return begun;
}

Worked JobDesk::work(const Deliver& deliver, WallTime now) {
  Worked worked;
  std::vector<Begun> jobs;
  std::vector<delivery::Delivery> batch;
  std::size_t files = 0;
  std::uint64_t bytes = 0;
  for (const auto* next = desk_.next(); next != nullptr; next = desk_.next()) {
    const bool first = files == 0;
    files += next->job.recipients.size();
    bytes += next->job.file ? next->job.file->bytes * next->job.recipients.size() : 0;
    if (!first && (files > max_batch_ || bytes > kMaxBatchBytes)) break;
    auto waiting = desk_.begin();
    if (auto unreadable = check_content(waiting.job)) {
      desk_.forget(waiting.job.job);
      worked.unreadable.push_back(std::move(*unreadable));
      continue;
    }
    jobs.push_back(plan(std::move(waiting), batch, now));
  }
  auto results = deliver(batch);

  auto result = results.begin();
  worked.outcomes.reserve(jobs.size());
  for (auto& [content, job] : jobs) {
    for (auto& recipient : job.recipients) {
      if (recipient.folder.empty()) continue;
      recipient.outcome.disposition = result->disposition;
      recipient.outcome.reply = std::move(result->reply);
      recipient.file = std::move(result->file);
      recipient.found_earlier = result->found_earlier;
      ++result;
    }
    worked.outcomes.push_back(to_outcome(job));
    desk_.finish(to_outcome(job));
    finished_.emplace(job.job, std::move(job));
  }
  return worked;
}

Result<std::vector<FinishedJob>> JobDesk::recorded(const std::vector<spool_agent::JobId>& jobs) {
  if (auto taken = desk_.recorded(jobs); !taken) return fail_with(std::move(taken));
  std::vector<FinishedJob> acknowledged;
  acknowledged.reserve(jobs.size());
  for (const auto number : jobs) acknowledged.push_back(std::move(finished_.extract(number).mapped()));
  return acknowledged;
}

}  // namespace sternpost::virtual_mailbox

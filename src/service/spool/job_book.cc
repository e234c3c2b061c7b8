#include "service/spool/job_book.h"

#include <algorithm>

namespace sternpost::spool_service {
namespace {

bool same_recipients(const JobInHand& job, const spool_agent::Outcome& outcome) {
  std::vector<std::uint32_t> reported;
  reported.reserve(outcome.recipients.size());
  for (const auto& one : outcome.recipients) reported.push_back(one.recipient);
  std::ranges::sort(reported);
  return reported == job.recipients;
}

bool is_sound(const mail::RecipientOutcome& outcome) {
  constexpr std::size_t kMaxText = 512;
  return outcome.disposition != mail::Disposition::deleted &&
         outcome.disposition != mail::Disposition::bounced && outcome.reply.text.size() <= kMaxText &&
         outcome.remote.size() <= mail::RecipientOutcome::kMaxRemote;
}

}  // namespace

bool JobBook::in_hand(QueueId id, std::uint32_t recipient) const {
  const auto at = recipients_.find(id);
  return at != recipients_.end() && at->second.contains(recipient);
}

void JobBook::put(spool_agent::JobId job, JobInHand in_hand) {
  std::ranges::sort(in_hand.recipients);
  recipients_[in_hand.id].insert(in_hand.recipients.begin(), in_hand.recipients.end());
  auto& load = loads_[in_hand.channel];
  ++load.jobs;
  load.recipients += in_hand.recipients.size();
  load.content.bytes += in_hand.content.bytes;
  load.content.files += in_hand.content.files;
  jobs_.emplace(job, std::move(in_hand));
}

bool JobBook::has_room(ChannelId channel, std::size_t recipients, const ContentLoad& content) const {
  const auto at = loads_.find(channel);
  if (at == loads_.end() || at->second.jobs == 0) return true;
  const auto& load = at->second;
  const auto most = content.bytes > spool_agent::kPieceBytes ? spool_agent::kMaxBytesInHand / 2
                                                             : spool_agent::kMaxBytesInHand;
  return load.jobs < spool_agent::kMaxJobs &&
         load.recipients + recipients <= spool_agent::kMaxRecipientsInHand &&
         load.content.bytes + content.bytes <= most &&
         load.content.files + content.files <= spool_agent::kMaxFilesInHand;
}

spool_agent::JobId JobBook::hand(ChannelId channel, QueueId id, std::vector<std::uint32_t> recipients,
                                 const ContentLoad& content) {
  const auto job = next_++;
  put(job, {channel, id, std::move(recipients), content, false});
  return job;
}

Result<void> JobBook::announce(ChannelId channel, const spool_agent::InHand& announced,
                               const std::function<ContentLoad(QueueId)>& load_of) {
  const auto& load = loads_[channel];
  for (const auto& job : announced.jobs) {
    if (load.jobs >= spool_agent::kMaxJobs ||
        load.recipients + job.recipients.size() > spool_agent::kMaxRecipientsInHand) {
      return fail(ErrorClass::peer, "more jobs or recipients were announced than an agent may have");
    }
    if (jobs_.contains(job.job)) return fail(ErrorClass::peer, "a job was announced whose number is taken");
    if (job.recipients.empty()) return fail(ErrorClass::peer, "a job without recipients was announced");
    auto sorted = job.recipients;
    std::ranges::sort(sorted);
    if (std::ranges::adjacent_find(sorted) != sorted.end()) {
      return fail(ErrorClass::peer, "a job was announced that names a recipient twice");
    }
    for (const auto recipient : job.recipients) {
      if (in_hand(job.id, recipient))
        return fail(ErrorClass::peer, "a recipient was announced that is in hand");
    }
    put(job.job, {channel, job.id, job.recipients, load_of(job.id), false});
  }
  return {};
}

Result<QueueId> JobBook::report(ChannelId channel, const spool_agent::Outcome& outcome) {
  const auto at = jobs_.find(outcome.job);
  if (at == jobs_.end() || at->second.channel != channel) {
    return fail(ErrorClass::peer, "an outcome for a job that was not handed to this channel");
  }
  auto& job = at->second;
  if (job.reported) return fail(ErrorClass::peer, "a second outcome for a job");
  if (!same_recipients(job, outcome))
    return fail(ErrorClass::peer, "an outcome for other recipients than the job's");
  if (!std::ranges::all_of(outcome.recipients, is_sound)) {
    return fail(ErrorClass::peer, "an outcome that is not an agent's to give");
  }
  job.reported = true;
  return job.id;
}

void JobBook::release(const JobInHand& job) {
  if (const auto load = loads_.find(job.channel); load != loads_.end()) {
    --load->second.jobs;
    load->second.recipients -= job.recipients.size();
    load->second.content.bytes -= job.content.bytes;
    load->second.content.files -= job.content.files;
  }
  const auto at = recipients_.find(job.id);
  if (at == recipients_.end()) return;
  for (const auto recipient : job.recipients) at->second.erase(recipient);
  if (at->second.empty()) recipients_.erase(at);
}

Result<JobInHand> JobBook::give_back(ChannelId channel, spool_agent::JobId job) {
  const auto at = jobs_.find(job);
  if (at == jobs_.end() || at->second.channel != channel || at->second.reported) {
    return fail(ErrorClass::peer, "the end of a job that was not handed to this channel, or has an outcome");
  }
  auto given_back = std::move(at->second);
  jobs_.erase(at);
  release(given_back);
  return given_back;
}

void JobBook::finish(spool_agent::JobId job) {
  const auto at = jobs_.find(job);
  if (at == jobs_.end()) return;
  release(at->second);
  jobs_.erase(at);
}

std::vector<JobInHand> JobBook::closed(ChannelId channel) {
  loads_.erase(channel);
  std::vector<JobInHand> open_again;
  std::erase_if(jobs_, [&](const auto& entry) {
    const auto& job = entry.second;
    if (job.channel != channel || job.reported) return false;
    release(job);
    open_again.push_back(job);
    return true;
  });
  return open_again;
}

}  // namespace sternpost::spool_service

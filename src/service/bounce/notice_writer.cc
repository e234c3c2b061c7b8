#include "service/bounce/notice_writer.h"

#include <utility>

#include "mail/delay_warning.h"
#include "mail/delivery_status.h"

namespace sternpost::bounce {
namespace {

using spool_notice::Nobody;

mail::NoticeFacts facts_of(spool_notice::Job&& job, const config::BounceSlice& slice, WallTime now) {
  mail::NoticeFacts facts;
  facts.kind = job.delayed ? mail::NoticeKind::delayed : mail::NoticeKind::failed;
  facts.reporting_mta = slice.hostname;
  facts.id = job.id;
  facts.notice = job.notice;
  facts.arrival = job.arrival;
  facts.now = now;
  facts.reverse_path = std::move(job.reverse_path);
  facts.recipients.reserve(job.recipients.size());
  for (auto& recipient : job.recipients) {
    facts.recipients.push_back({std::move(recipient.address), std::move(recipient.last.reply),
                                std::move(recipient.last.remote), recipient.last.attempted});
  }
  if (job.delayed) facts.will_retry_until = job.until;
  facts.max_returned_bytes = slice.max_header_bytes;
  return facts;
}

}  // namespace

spool_notice::FromBounce answer(spool_notice::Job&& job, const config::BounceSlice& slice, WallTime now) {
  const auto number = job.job;
  if (job.recipients.empty()) return Nobody{number, "there is nothing to tell"};
  if (job.delayed && !mail::should_warn(job.reverse_path, job.content)) {
    return Nobody{number, "the sender is no person, and is not warned of delays"};
  }
  if (!job.reverse_path && job.protocol == spool_notice::kDoubleProtocol) {
    return Nobody{number, "a notice to the postmaster failed: it is dropped"};
  }
  auto recipient = mail::notice_recipient(job.reverse_path);
  const auto content = std::move(job.content);
  auto facts = facts_of(std::move(job), slice, now);
  facts.content = content;
  return spool_notice::Written{number, std::move(recipient), mail::compose_notice(facts)};
}

}  // namespace sternpost::bounce

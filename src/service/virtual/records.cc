#include "service/virtual/records.h"

#include <utility>

namespace sternpost::virtual_mailbox {
namespace {

Decision to_decision(mail::Disposition disposition) {
  switch (disposition) {
    case mail::Disposition::delivered:
      return Decision::delivered;
    case mail::Disposition::failed:
      return Decision::failed;
    case mail::Disposition::deleted:
      return Decision::deleted;
    case mail::Disposition::bounced:
    case mail::Disposition::deferred:
      break;
  }
  return Decision::deferred;
}

}  // namespace

std::vector<Record> to_records(const FinishedJob& job) {
  std::vector<Record> records;
  records.reserve(job.recipients.size());
  for (const auto& recipient : job.recipients) {
    auto& record = records.emplace_back();
    record.decision = to_decision(recipient.outcome.disposition);
    record.id = job.id;
    record.sender = mail::to_path(job.reverse_path);
    record.recipient = recipient.address.to_wire();
    record.rule = recipient.rule;
    if (!recipient.folder.empty()) record.facts.push_back({"folder", recipient.folder});
    if (!recipient.file.empty()) record.facts.push_back({"file", recipient.file});
    if (recipient.found_earlier) record.facts.push_back({"found", "made by an earlier attempt"});
    record.facts.push_back({"attempted", to_rfc3339(recipient.outcome.attempted)});
    record.outcome = to_string(recipient.outcome.reply);
  }
  return records;
}

}  // namespace sternpost::virtual_mailbox

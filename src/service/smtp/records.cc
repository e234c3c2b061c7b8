#include "service/smtp/records.h"

#include <string>
#include <utility>

namespace sternpost::smtp_client {
namespace {

/// What a fact may hold, in octets.
constexpr std::size_t kLongestDialogue = 1000;

Decision to_decision(mail::Disposition disposition) {
  switch (disposition) {
    case mail::Disposition::delivered:
      return Decision::delivered;
    case mail::Disposition::failed:
      return Decision::failed;
    case mail::Disposition::deleted:
    case mail::Disposition::bounced:
    case mail::Disposition::deferred:
      break;
  }
  return Decision::deferred;
}

/// The end of the dialogue, as much as fits: what went wrong stands there.
std::string text_of(const std::vector<std::string>& dialogue) {
  constexpr std::string_view kBetween = " | ";
  std::string text;
  for (auto line = dialogue.rbegin(); line != dialogue.rend(); ++line) {
    if (text.size() + line->size() + kBetween.size() > kLongestDialogue) {
      text.insert(0, "... | ");
      break;
    }
    text.insert(0, text.empty() ? *line : *line + std::string(kBetween));
  }
  return text;
}

}  // namespace

std::vector<Record> to_records(const FinishedJob& job) {
  const auto dialogue = text_of(job.dialogue);
  std::vector<Record> records;
  records.reserve(job.recipients.size());
  for (const auto& recipient : job.recipients) {
    const auto& outcome = recipient.outcome;
    auto& record = records.emplace_back();
    record.decision = to_decision(outcome.disposition);
    record.id = job.id;
    record.sender = mail::to_path(job.reverse_path);
    record.recipient = recipient.address.to_wire();
    record.facts = {{"site", job.site}};
    if (!outcome.remote.empty()) record.facts.push_back({"host", outcome.remote});
    if (outcome.disposition != mail::Disposition::delivered && !dialogue.empty()) {
      record.facts.push_back({"dialogue", dialogue});
    }
    record.facts.push_back({"attempted", to_rfc3339(outcome.attempted)});
    record.outcome = to_string(outcome.reply);
  }
  return records;
}

}  // namespace sternpost::smtp_client

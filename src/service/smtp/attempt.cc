#include "service/smtp/attempt.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "runtime/agent/content_file.h"

namespace sternpost::smtp_client {
namespace {

constexpr std::size_t kMaxReplyText = 512;

}  // namespace

spool_agent::Outcome to_outcome(const FinishedJob& job) {
  spool_agent::Outcome outcome{job.job, {}};
  outcome.recipients.reserve(job.recipients.size());
  for (const auto& recipient : job.recipients) outcome.recipients.push_back(recipient.outcome);
  return outcome;
}

Attempt::Attempt(WaitingJob&& job, route::Site site, WallTime now)
    : site_(std::move(site)),
      content_(take_content(job)),
      eight_bit_(job.job.eight_bit),
      attempted_(now),
      open_(job.job.recipients.size()) {
  std::iota(open_.begin(), open_.end(), std::size_t{0});
  finished_.job = job.job.job;
  finished_.id = job.job.id;
  finished_.reverse_path = std::move(job.job.reverse_path);
  finished_.site = std::move(job.job.site);
  finished_.recipients.reserve(job.job.recipients.size());
  for (auto& recipient : job.job.recipients) {
    auto& attempted = finished_.recipients.emplace_back();
    attempted.address = std::move(recipient.address);
    attempted.outcome.recipient = recipient.index;
  }
}

void Attempt::set_itinerary(std::vector<Endpoint> endpoints) {
  endpoints_ = std::move(endpoints);
  next_ = 0;
  planned_ = true;
}

const Endpoint* Attempt::next_endpoint() const {
  return next_ < endpoints_.size() ? &endpoints_[next_] : nullptr;
}

Result<void> Attempt::measure() {
  smtp::ContentMeter meter;
  content_->rewind();
  do {
    auto piece = content_->next();
    if (!piece) return fail_with(std::move(piece));
    meter.add(*piece);
  } while (!content_->ended());
  facts_ = meter.facts();
  return {};
}

FinishedJob Attempt::take_finished() {
  content_.reset();
  return std::move(finished_);
}

smtp::Delivery Attempt::delivery() const {
  smtp::Delivery delivery{finished_.reverse_path, {}, facts_, eight_bit_};
  delivery.recipients.reserve(open_.size());
  for (const auto index : open_) delivery.recipients.push_back(finished_.recipients[index].address);
  return delivery;
}

void Attempt::settle(std::size_t index, mail::Disposition disposition, mail::Reply reply,
                     std::string remote) {
  auto& outcome = finished_.recipients[index].outcome;
  reply.text.resize(std::min(reply.text.size(), kMaxReplyText));
  remote.resize(std::min(remote.size(), mail::RecipientOutcome::kMaxRemote));
  outcome.disposition = disposition;
  outcome.reply = std::move(reply);
  outcome.attempted = attempted_;
  outcome.remote = std::move(remote);
}

void Attempt::take_result(smtp::Finished&& result, const Endpoint& endpoint,
                          std::vector<std::string> dialogue) {
  std::vector<std::size_t> left;
  bool all_delivered = true;
  const auto remote = to_remote(endpoint);
  for (std::size_t i = 0; i < open_.size() && i < result.recipients.size(); ++i) {
    auto& one = result.recipients[i];
    auto said_by = one.by_server ? remote : std::string();
    all_delivered = all_delivered && one.disposition == mail::Disposition::delivered;
    // In our own words, the host is part of the sentence.
    if (!one.by_server) one.reply.text.insert(0, to_string(endpoint) + ": ");
    if (one.scope == smtp::Scope::host) {
      left.push_back(open_[i]);
      last_trouble_ = std::move(one.reply);
      last_remote_ = std::move(said_by);
    } else {
      settle(open_[i], one.disposition, std::move(one.reply), std::move(said_by));
    }
  }
  if (!all_delivered) finished_.dialogue = std::move(dialogue);
  open_ = std::move(left);
}

void Attempt::came_back(const Endpoint& endpoint) {
  const auto tried = endpoints_.begin() + static_cast<std::ptrdiff_t>(next_);
  endpoints_.erase(
      std::remove_if(tried, endpoints_.end(),
                     [&](const Endpoint& other) { return other.preference >= endpoint.preference; }),
      endpoints_.end());
  if (next_endpoint() == nullptr && last_trouble_.code == 0) give_up(loops_back(site_));
}

void Attempt::give_up(const mail::Reply& reply) {
  const auto disposition = reply.permanent() ? mail::Disposition::failed : mail::Disposition::deferred;
  for (const auto index : std::exchange(open_, {})) settle(index, disposition, reply, {});
}

void Attempt::give_up_after_last() {
  for (const auto index : std::exchange(open_, {})) {
    settle(index, mail::Disposition::deferred, last_trouble_, last_remote_);
  }
}

}  // namespace sternpost::smtp_client

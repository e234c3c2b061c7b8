// Notices: qmgr says whom to tell, bounce writes, and the notice and what it settles are committed as one.
#include <algorithm>

#include "service/spool/spool_service.h"
#include "service/spool/views.h"

namespace sternpost::spool_service {
namespace {

std::string_view protocol_of(const mail::ReversePath& told_of) {
  return told_of ? spool_notice::kProtocol : spool_notice::kDoubleProtocol;
}

/// Of the recipients that qmgr names, those that the sender is not told of yet.
std::vector<std::uint32_t> still_to_tell_of(const spool::Message& message, const spool_qmgr::Tell& tell) {
  auto wanted = tell.recipients;
  std::erase_if(wanted, [&](std::uint32_t i) {
    return tell.delayed ? !message.state.is_open(i) : !message.state.is_owing(i);
  });
  return wanted;
}

/// A text from bounce as it may stand in a record.
std::string bounded(std::string text) {
  constexpr std::size_t kLongest = 512;
  text.resize(std::min(text.size(), kLongest));
  return text;
}

}  // namespace

void SpoolService::connect_bounce(UniqueFd socket) {
  bounce_gone();
  bounce_ = std::make_unique<BounceChannel>(
      context_.loop, std::move(socket), FrameLimits{.max_frame = spool_notice::kMaxFrame}, context_.traffic,
      BounceChannel::Handlers{
          [this](spool_notice::FromBounce&& frame) { return from_bounce(std::move(frame)); },
          [this](const Error& why) {
            context_.channel_closed(Compartment::bounce, why, false);
            bounce_gone();
          }});
}

/// What it was to write is ordered again by qmgr.
void SpoolService::bounce_gone() {
  bounce_.reset();
  for (auto& [job, notice] : std::exchange(notices_, {})) {
    if (notice.waits_for_bounce) {
      not_told(notice.settles.id);
    } else {
      notices_.emplace(job, std::move(notice));
    }
  }
}

void SpoolService::not_told(QueueId id) {
  if (qmgr_) qmgr_->send(spool_qmgr::NotTold{id});
}

Result<void> SpoolService::take_tell(spool_qmgr::Tell&& tell) {
  if (tell.recipients.empty() || tell.recipients.size() > spool_qmgr::kMaxTold) {
    return fail(ErrorClass::peer, "a notice about nobody, or about too many");
  }
  if (notices_.size() >= kMaxNotices) return fail(ErrorClass::peer, "too many notices at once");
  if (!order_notice(tell)) not_told(tell.id);
  return {};
}

/// False where it cannot be written now.
bool SpoolService::order_notice(spool_qmgr::Tell& tell) {
  auto message = engine_->find(tell.id);
  if (!message) {
    // Deleted meanwhile: Recorded says so, and this that the wish is done with.
    if (qmgr_) qmgr_->send(spool_qmgr::Told{tell.id, std::move(tell.recipients), false});
    return true;
  }
  if (!bounce_) return false;
  const bool busy =
      std::ranges::any_of(notices_, [&](const auto& entry) { return entry.second.settles.id == tell.id; });
  if (busy) return false;
  std::ranges::sort(tell.recipients);
  tell.recipients.erase(std::ranges::unique(tell.recipients).begin(), tell.recipients.end());
  const auto wanted = still_to_tell_of(*message, tell);
  if (wanted.empty() || (tell.delayed && message->state.warned)) {
    // An earlier qmgr saw to it.
    if (qmgr_) qmgr_->send(spool_qmgr::Told{tell.id, std::move(tell.recipients), message->state.warned});
    return true;
  }
  auto envelope = engine_->read_envelope(tell.id);
  const std::size_t most = slice_.max_message_bytes;
  // Whether a person wrote the message stands in its header, of which less may be returned than this.
  const auto wanted_bytes = std::max<std::size_t>(slice_.notice_header_bytes, spool_notice::kHeaderBytes);
  auto content = engine_->read_beginning(tell.id, std::min(wanted_bytes, spool_notice::header_share(most)));
  const auto cannot = [&](const Error& why) {
    not_read(tell.id, why);
    return false;
  };
  if (!envelope) return cannot(envelope.error());
  if (!content) return cannot(content.error());
  if (auto read = engine_->read_texts(*message); !read) return cannot(read.error());
  read_failures_.forget(tell.id);
  const auto id = engine_->lease(1);
  if (!id) return false;

  spool_notice::Job job{next_notice_++,
                        tell.delayed,
                        tell.id,
                        *id,
                        envelope->arrival,
                        envelope->reverse_path,
                        envelope->origin.protocol,
                        {},
                        tell.until,
                        std::move(*content)};
  Notice notice{{tell.id, {}, tell.delayed}, *id, envelope->reverse_path, true};
  std::size_t bytes = 0;
  for (const auto i : wanted) {
    if (bytes > spool_notice::recipients_share(most)) break;
    const auto* attempted = message->state.find(i);
    auto& recipient = job.recipients.emplace_back();
    recipient.address = std::move(envelope->recipients[i]);
    if (attempted != nullptr) recipient.last = attempted->last;
    bytes += encode(recipient).size();
    if (!tell.delayed) notice.settles.recipients.push_back(i);
  }
  notices_.emplace(job.job, std::move(notice));
  bounce_->send(job);
  return true;
}

Result<void> SpoolService::from_bounce(spool_notice::FromBounce&& frame) {
  return std::visit(
      Overloaded{[&](spool_notice::Written& written) { return take_written(std::move(written)); },
                 [&](spool_notice::Nobody& nobody) { return take_nobody(std::move(nobody)); }},
      frame);
}

/// The notice that this job is of, where bounce still owes an answer.
SpoolService::Notice* SpoolService::awaited(spool_notice::JobId job) {
  const auto at = notices_.find(job);
  return at == notices_.end() || !at->second.waits_for_bounce ? nullptr : &at->second;
}

Result<void> SpoolService::take_written(spool_notice::Written&& written) {
  auto* notice = awaited(written.job);
  if (notice == nullptr) return fail(ErrorClass::peer, "a notice that was not asked for");
  if (written.content.size() > spool_notice::kMaxNotice)
    return fail(ErrorClass::peer, "a notice without end");
  if (notice->reverse_path && written.recipient != *notice->reverse_path) {
    return fail(ErrorClass::peer, "a notice to another than the sender");
  }
  notice->waits_for_bounce = false;
  spool::AddMessage message;
  message.id = notice->id;
  message.envelope.recipients = {std::move(written.recipient)};
  message.envelope.arrival = wall_now();
  message.envelope.origin.protocol = protocol_of(notice->reverse_path);
  message.content = std::move(written.content);
  message.settles = notice->settles;
  const ByBounce by{written.job};
  if (message.content.size() <= spool::kMaxInlineContent) {
    queue_.add(std::move(message), by);
    schedule_commit();
  } else if (desk_.take(message)) {
    commit_behind_content(std::move(message), by);
  } else {  // qmgr asks for it again
    notices_.erase(written.job);
    not_told(message.settles->id);
  }
  return {};
}

/// What failed is settled without a word; that a message is late is not said again until a restart.
Result<void> SpoolService::take_nobody(spool_notice::Nobody&& nobody) {
  auto* notice = awaited(nobody.job);
  if (notice == nullptr) return fail(ErrorClass::peer, "an answer to no question");
  const auto& settles = notice->settles;
  if (settles.warns) {
    if (qmgr_) qmgr_->send(spool_qmgr::Told{settles.id, {}, true});
    notices_.erase(nobody.job);
    return {};
  }
  notice->waits_for_bounce = false;
  notice->nobody = bounded(std::move(nobody.why));
  spool::RecordOutcomes settled{settles.id, {}};
  for (const auto index : settles.recipients) {
    settled.outcomes.push_back(
        {index, mail::Disposition::bounced, {250, {2, 0, 0}, "nobody is to be told"}, wall_now()});
  }
  queue_.add(std::move(settled), ByBounce{nobody.job});
  schedule_commit();
  return {};
}

void SpoolService::answer_bounce(const ByBounce& by, const Settled& settled) {
  const auto node = notices_.extract(by.job);
  if (node.empty()) return;
  const auto& notice = node.mapped();
  if (!settled.result) return not_told(notice.settles.id);
  if (qmgr_)
    qmgr_->send(spool_qmgr::Told{notice.settles.id, notice.settles.recipients, notice.settles.warns});
  Record record;
  record.decision = Decision::bounced;
  record.id = notice.settles.id;
  record.sender = mail::to_path(notice.reverse_path);
  const auto* message = std::get_if<spool::AddMessage>(&settled.op);
  if (message == nullptr) {
    record.rule.name = "nobody to tell";
    record.outcome = notice.nobody;
  } else {
    ++messages_;
    record.recipient = message->envelope.recipients.front().to_wire();
    record.rule.name = notice.settles.warns ? "delay warning" : "notice owed";
    record.facts = {{"notice", to_string(notice.id)},
                    {"recipients", std::to_string(notice.settles.recipients.size())}};
    record.outcome = notice.reverse_path ? "the sender is told" : "the postmaster is told";
  }
  context_.records.record(std::move(record));
}

}  // namespace sternpost::spool_service

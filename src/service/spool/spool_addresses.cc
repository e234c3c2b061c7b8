// The addresses that qmgr asks for again, because it keeps none of what waits.
#include <utility>

#include "service/spool/spool_service.h"
#include "service/spool/views.h"

namespace sternpost::spool_service {
namespace {

/// Envelopes that are read for their addresses before others have their turn.
constexpr std::size_t kMostAddressed = 64;
/// Bytes that may wait for qmgr before it is told more.
constexpr std::size_t kMaxWaiting = 512UL * 1024;
/// Messages that the disk fails to read for now, before no others are tried.
constexpr std::size_t kMostUnread = 16;
constexpr Milliseconds kAnswerAgain{5};

}  // namespace

Result<void> SpoolService::take_get_addresses(const spool_qmgr::GetAddresses& asked) {
  if (asked.ids.size() > spool_qmgr::kMaxBatch ||
      asked_addresses_.size() + unread_addresses_.size() + asked.ids.size() >
          spool_qmgr::kMaxAddressesAsked) {
    return fail(ErrorClass::peer, "addresses of too many messages are asked for");
  }
  asked_addresses_.insert(asked_addresses_.end(), asked.ids.begin(), asked.ids.end());
  work_at_end_.schedule();
  return {};
}

/// One frame, and the rest when others have had their turn and qmgr has taken what it was told.
void SpoolService::answer_addresses() {
  if (!qmgr_ || !may_read_addresses()) return;
  if (qmgr_->unsent() > kMaxWaiting) {
    addresses_timer_.expires_after(kAnswerAgain);
    addresses_timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) answer_addresses();
    });
    return;
  }
  spool_qmgr::Addresses frame;
  std::size_t bytes = 0;
  for (std::size_t read = 0; read < kMostAddressed && bytes < kFrameTarget && may_read_addresses(); ++read) {
    const auto id = asked_addresses_.front();
    asked_addresses_.pop_front();
    auto message = find_addresses(id);
    if (!message) {
      unread_addresses_.push_back(id);
      continue;
    }
    bytes += encode(*message).size();
    frame.messages.push_back(std::move(*message));
  }
  if (!frame.messages.empty()) qmgr_->send(frame);
  if (may_read_addresses()) work_at_end_.schedule();
}

/// A few that cannot be read for now do not keep the others waiting.
bool SpoolService::may_read_addresses() const {
  return !asked_addresses_.empty() && unread_addresses_.size() < kMostUnread;
}

/// Those that could not be read are read again.
void SpoolService::retry_addresses() {
  asked_addresses_.insert(asked_addresses_.end(), unread_addresses_.begin(), unread_addresses_.end());
  unread_addresses_.clear();
}

/// Of a message that is unknown, or cannot be read for good: none. Temporary where the disk fails.
Result<spool_qmgr::AddressedMessage> SpoolService::find_addresses(QueueId id) {
  if (!engine_->contains(id)) return spool_qmgr::AddressedMessage{id, {}};
  auto message = addressed_message(*engine_, id);
  if (message) {
    read_failures_.forget(id);
    return message;
  }
  if (!step_over(id, message.error())) return message;
  set_aside(id, message.error());
  // As with an order: before it is durable, so that it is not asked for again.
  qmgr_->send(spool_qmgr::HoldChanged{id, true});
  return spool_qmgr::AddressedMessage{id, {}};
}

}  // namespace sternpost::spool_service

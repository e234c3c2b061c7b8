// Envelopes of messages that were just committed, until qmgr is told of them: a read of the disk less for
// each.
#pragma once

#include <cstddef>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/queue_id.h"
#include "mail/envelope.h"

namespace sternpost::spool_service {

/// A cache, and no more: what is not kept is read from the spool. Holds at most kMost envelopes with at most
/// kMostRecipients each; where one more comes, all that nobody asked for go.
class FreshEnvelopes {
 public:
  static constexpr std::size_t kMost = 512;
  static constexpr std::size_t kMostRecipients = 8;

  void keep(QueueId id, mail::Envelope&& envelope) {
    if (envelope.recipients.size() > kMostRecipients) return;
    if (envelopes_.size() >= kMost) envelopes_.clear();
    envelopes_.insert_or_assign(id, std::move(envelope));
  }
  /// Whatever changes a message's envelope on disk calls this.
  void forget(QueueId id) { envelopes_.erase(id); }
  void clear() { envelopes_.clear(); }

  std::optional<mail::Envelope> take(QueueId id) {
    const auto node = envelopes_.extract(id);
    if (node.empty()) return std::nullopt;
    return std::move(node.mapped());
  }

 private:
  std::unordered_map<QueueId, mail::Envelope> envelopes_;
};

}  // namespace sternpost::spool_service

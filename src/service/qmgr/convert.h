// Frames to events and actions to frames.
#pragma once

#include <span>
#include <vector>

#include "config/slices.h"
#include "queue/events.h"
#include "runtime/record.h"
#include "service/qmgr/protocol.h"
#include "service/router/protocol.h"
#include "service/spool/qmgr_protocol.h"

namespace sternpost::qmgr {

/// The most outcomes in one Decided frame: with replies of 512 octets it stays within kMaxFrame.
inline constexpr std::size_t kMaxDecided = 500;

queue::Settings to_settings(const config::QmgrSlice& slice);
std::vector<queue::Message> to_messages(std::vector<spool_qmgr::PulledMessage>&& pulled);
std::vector<queue::AddressedRecipient> to_addresses(std::vector<spool_qmgr::Addressed>&& addressed);
std::vector<queue::RouteAnswer> to_answers(std::vector<router::RoutedRecipient>&& routed);

/// What one Orders frame carries, in octets, but for one order more.
inline constexpr std::size_t kOrdersBytes = 128UL * 1024;

/// As many frames as it takes.
std::vector<spool_qmgr::Orders> to_orders(std::vector<queue::Order>&& orders);
/// As many frames as it takes.
std::vector<spool_qmgr::GetAddresses> to_lookups(std::span<const QueueId> ids);
spool_qmgr::Tell to_tell(queue::Tell&& tell);
/// As many frames as it takes.
std::vector<spool_qmgr::Decided> to_decided(queue::Decided&& decided);
router::Route to_question(queue::RouteQuestion&& question);
Counts to_counts(const queue::Counts& counts, std::uint64_t request);

Record to_record(queue::Notice&& notice);
Record to_record(const queue::Pressure& pressure);

}  // namespace sternpost::qmgr

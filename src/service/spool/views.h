// Messages of the spool as qmgr and the administrator are told of them, within the bounds of their frames.
#pragma once

#include <cstdint>

#include "service/spool/admin_protocol.h"
#include "service/spool/job_book.h"
#include "service/spool/qmgr_protocol.h"
#include "spool/engine.h"

namespace sternpost::spool_service {

/// Bytes of messages or entries after which a frame gets no more; the last one may go beyond it.
inline constexpr std::size_t kFrameTarget = 64 * 1024;

/// The open recipients of a live message, which has this envelope.
spool_qmgr::PulledMessage pulled_message(const spool::Engine& engine, const JobBook& jobs, QueueId id,
                                         mail::Envelope&& envelope);

/// The addresses of the open recipients of a live message.
Result<spool_qmgr::AddressedMessage> addressed_message(spool::Engine& engine, QueueId id);

/// All recipients of a live message. Where the texts of replies would not fit into a frame they are left out.
Result<spool_admin::Entry> admin_entry(spool::Engine& engine, const JobBook& jobs, QueueId id);

/// Up to `max` messages behind `position`; the second value is where to go on, 0 at the end. Unreadable ones
/// are left out.
spool_admin::Listed admin_list(spool::Engine& engine, const JobBook& jobs, const spool_admin::List& list);

/// Outcomes for qmgr in frames of bounded size; those of one message may be in several.
std::vector<spool_qmgr::Recorded> recorded_frames(const std::vector<spool_qmgr::RecordedMessage>& messages);

}  // namespace sternpost::spool_service

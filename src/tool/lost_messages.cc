#include "tool/lost_messages.h"

#include <algorithm>
#include <map>
#include <string>

#include "spool/log_walk.h"
#include "spool/lost_blocks.h"

namespace sternpost::tool {
namespace {

using Candidates = std::map<QueueId, LostMessage>;

/// What is left of a damaged record; nothing where it was not a message's.
std::optional<LostMessage> look_at(const spool::FoundSegment& segment, const spool::Quarantined& damage) {
  if (!segment.file || !segment.header) return std::nullopt;
  std::string bytes(std::min(damage.length, segment.header->segment_bytes), '\0');
  if (!spool::read_blocks(*segment.file, damage.offset, bytes)) return std::nullopt;
  const spool::SegmentIdentity identity(*segment.header);
  spool::RecordView view;
  if (spool::parse_record(bytes, identity, view) == spool::RecordFault::header) return std::nullopt;
  if (view.header.type != spool::RecordType::message) return std::nullopt;
  LostMessage lost{view.header.id, {}};
  if (!spool::parse_head(bytes, identity, view)) return lost;
  if (const auto head = decode<spool::MessageHead>(view.head)) {
    lost.envelope = decode<mail::Envelope>(head->state.envelope);
  }
  return lost;
}

/// Takes out of `candidates` whom this record proves to be finished.
void take_finished(Candidates& candidates, const spool::LogEntry& entry) {
  if (entry.record == nullptr) return;
  const auto& head = entry.record->head;
  switch (entry.record->header.type) {
    case spool::RecordType::message:
      if (const auto settles = spool::settles_of(head); settles && settles->finishes) {
        candidates.erase(settles->settlement.id);
      }
      break;
    case spool::RecordType::outcome:
      if (!candidates.contains(entry.id)) break;
      if (const auto outcomes = decode<spool::OutcomeHead>(head); outcomes && outcomes->finishes) {
        candidates.erase(entry.id);
      }
      break;
    case spool::RecordType::dead_list:
      if (const auto list = decode<spool::DeadList>(head)) {
        for (const auto id : list->ids) candidates.erase(id);
      }
      break;
    case spool::RecordType::envelope:
    case spool::RecordType::mark:
      break;
  }
}

}  // namespace

Outcome<std::vector<LostMessage>> find_lost(const spool::Disks& disks, const spool::Engine& engine) {
  const auto segments = spool::find_segments(disks);
  if (!segments) return failure(ExitStatus::failed, segments.error().text);
  Candidates candidates;
  for (const auto& damage : engine.recovery().quarantined) {
    if (damage.id == QueueId{} || engine.contains(damage.id)) continue;
    const auto slot = spool::parse_segment_name(damage.file);
    const auto segment = std::ranges::find(*segments, slot, &spool::FoundSegment::slot);
    if (segment == segments->end()) continue;
    if (auto lost = look_at(*segment, damage)) candidates.try_emplace(lost->id, std::move(*lost));
  }
  std::vector<LostMessage> all;
  if (candidates.empty()) return all;
  const auto walked =
      spool::walk_log(disks, [&](const spool::LogEntry& entry) { take_finished(candidates, entry); });
  if (!walked) return failure(ExitStatus::failed, walked.error().text);
  for (auto& [id, lost] : candidates) all.push_back(std::move(lost));
  return all;
}

}  // namespace sternpost::tool

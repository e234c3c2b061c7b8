#include "tool/repair_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "base/printable.h"
#include "spool/checkpoint.h"
#include "spool/overlay_disk.h"

namespace sternpost::tool {
namespace {

constexpr std::size_t kPage = 1'000;

std::unexpected<Failure> failed(const QueueOnDisk& queue, const Error& error) {
  return failure(ExitStatus::failed, queue.path + ": " + error.text);
}

/// How many messages are in each damaged segment.
std::vector<RepairPlan::Damaged> find_damaged(const spool::Engine& engine) {
  std::vector<RepairPlan::Damaged> damaged;
  for (const auto slot : engine.quarantined()) damaged.push_back({slot, 0});
  for (std::uint64_t position = 0;;) {
    const auto page = engine.messages_after(position, kPage);
    if (page.empty()) return damaged;
    for (const auto& [at, id] : page) {
      position = at;
      const auto outline = engine.outline(id);
      const auto segment = std::ranges::find(damaged, outline->data.slot, &RepairPlan::Damaged::slot);
      if (segment != damaged.end()) ++segment->messages;
    }
  }
}

Result<std::vector<QueueId>> find_ownerless(spool::Disk& disk, const spool::Engine& engine) {
  const auto names = disk.list();
  if (!names) return std::unexpected(names.error());
  std::vector<QueueId> ownerless;
  for (const auto& name : *names) {
    const auto id = spool::parse_content_name(name);
    const auto message = id ? engine.outline(*id) : std::nullopt;
    if (id && (!message || message->file_bytes == 0)) ownerless.push_back(*id);
  }
  std::ranges::sort(ownerless);
  return ownerless;
}

bool is_absent(const RepairPlan& plan, const std::string& file) {
  return std::ranges::any_of(plan.absent,
                             [&](const auto& one) { return spool::segment_name(one.slot) == file; });
}

std::string_view what_is_wrong(const AbsentSegment& absent) {
  return absent.foreign ? "belongs to another spool" : "is missing";
}

}  // namespace

Outcome<RepairPlan> plan_repair(const QueueOnDisk& queue, spool::Clock& clock) {
  spool::OverlayDisk main(*queue.disks.main);
  std::optional<spool::OverlayDisk> second;
  if (queue.disks.deferred != nullptr) second.emplace(*queue.disks.deferred);
  const spool::Disks disks(main, second ? &*second : nullptr);
  RepairPlan plan;
  auto absent = find_absent(disks);
  if (!absent) return failed(queue, absent.error());
  plan.absent = std::move(*absent);
  if (auto put = put_placeholders(plan.absent); !put) return failed(queue, put.error());
  auto by_checkpoint = spool::Engine::open(disks, clock, queue.options);
  if (!by_checkpoint) return failed(queue, by_checkpoint.error());
  plan.checkpoint_fault = (*by_checkpoint)->recovery().no_checkpoint;
  by_checkpoint->reset();
  const auto engine = spool::Engine::open(disks, clock, queue.options, spool::CheckpointUse::none);
  if (!engine) return failed(queue, engine.error());
  auto found = examine(queue.path, disks, **engine);
  if (!found) return std::unexpected(found.error());
  plan.found = std::move(*found);
  plan.damaged = find_damaged(**engine);
  if (!plan.damaged.empty()) {
    auto ownerless = find_ownerless(main, **engine);
    if (!ownerless) return failed(queue, ownerless.error());
    plan.ownerless = std::move(*ownerless);
  }
  std::erase_if(plan.found.report.quarantined, [&](const auto& one) { return is_absent(plan, one.file); });
  return plan;
}

bool RepairPlan::is_evidence(const std::string& file) const {
  if (std::ranges::find(spool::kCheckpointNames, file) != spool::kCheckpointNames.end()) return true;
  if (const auto slot = spool::parse_segment_name(file)) return is_damaged(*slot);
  const auto id = spool::parse_content_name(file);
  return id &&
         (std::ranges::find(ownerless, *id) != ownerless.end() ||
          std::ranges::any_of(found.unreadable, [&](const auto& one) { return one.message.id == *id; }));
}

void print_text(const RepairPlan& plan) {
  print_text(plan.found);
  for (const auto& one : plan.absent) {
    fmt::print("absent: {} {}: what was in it is gone\n", spool::segment_name(one.slot), what_is_wrong(one));
  }
  if (!plan.checkpoint_fault.empty()) {
    fmt::print("checkpoint: {}; nothing is lost by that\n", printable(plan.checkpoint_fault));
  }
  for (const auto& one : plan.found.unreadable) {
    fmt::print("to do: take message {} out of the queue\n", to_string(one.message.id));
  }
  for (const auto id : plan.ownerless) {
    fmt::print("to do: copy {}, of which no message is known, and remove it\n", spool::content_name(id));
  }
  for (const auto& one : plan.damaged) {
    const auto name = spool::segment_name(one.slot);
    if (is_absent(plan, name)) {
      fmt::print("to do: make {} anew, empty\n", name);
    } else {
      fmt::print("to do: copy {}, move what can be read of it (messages: {}), empty it\n", name,
                 one.messages);
    }
  }
}

void append_json(JsonWriter& writer, const RepairPlan& plan) {
  append_json(writer, plan.found);
  writer.key("absent").begin_array();
  for (const auto& one : plan.absent) {
    writer.begin_object().member("file", spool::segment_name(one.slot)).member("foreign", one.foreign);
    writer.end_object();
  }
  writer.end_array();
  if (!plan.checkpoint_fault.empty()) writer.member("checkpoint", plan.checkpoint_fault);
  writer.key("to_remove").begin_array();
  for (const auto id : plan.ownerless) writer.value(spool::content_name(id));
  writer.end_array().key("to_empty").begin_array();
  for (const auto& one : plan.damaged) {
    writer.begin_object().member("file", spool::segment_name(one.slot)).member("messages", one.messages);
    writer.end_object();
  }
  writer.end_array();
}

}  // namespace sternpost::tool

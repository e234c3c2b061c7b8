#include "tool/mending.h"

#include <fmt/format.h>

#include <algorithm>

#include "tool/removal.h"

namespace sternpost::tool {
namespace {

/// For what is moved: damaged segments give their place back later.
constexpr std::uint64_t kSegmentsMore = 4;

std::unexpected<Failure> failed(const Error& error) {
  return failure(ExitStatus::failed, error.text);
}

bool is_readable(spool::Engine& engine, QueueId id) {
  const auto envelope = spool::read_patiently([&] { return engine.read_envelope(id); });
  const auto content = read_through(engine, id);
  return (envelope || !is_damage(envelope.error())) && (content || !is_damage(content.error()));
}

/// Beyond the limit of the queue, and beyond what repairs took that were broken off.
Result<void> make_room(spool::Engine& engine, spool::EngineOptions options) {
  const auto stats = engine.stats();
  const auto used = std::max(options.max_spool_bytes, stats.bytes + stats.content_bytes);
  options.max_spool_bytes =
      std::min(used + kSegmentsMore * options.segment_bytes, options.segment_bytes * spool::kMaxSegments);
  options.min_free_bytes = 0;
  return engine.reconfigure(options);
}

/// Nobody could ever be given it, and who is to be told is in the report.
Outcome<void> take_out_unreadable(spool::Engine& engine, const RepairPlan& plan, const Progress& progress) {
  for (const auto& one : plan.found.unreadable) {
    const auto id = one.message.id;
    const auto message = engine.find(id);
    if (!message || is_readable(engine, id)) continue;
    const std::vector<spool::Op> ops{
        spool::removal_of(id, message->state, "damaged, taken out by spool repair", wall_now())};
    if (const auto removed = engine.commit(ops).front(); !removed) return failed(removed.error());
    progress("took message " + to_string(id) + " out of the queue");
  }
  return {};
}

Outcome<void> empty(spool::Engine& engine, const RepairPlan& plan, const Progress& progress) {
  for (const auto slot : engine.quarantined()) {
    const auto name = spool::segment_name(slot);
    if (!plan.is_damaged(slot)) {
      return failure(ExitStatus::failed, name + " was not damaged before, and was not copied");
    }
    if (const auto emptied = engine.empty_quarantined(slot); !emptied) return failed(emptied.error());
    progress("emptied " + name);
  }
  return {};
}

/// Last of all: until now a later start might have found whose they are.
Outcome<void> remove_ownerless(const spool::Engine& engine, spool::Disk& disk, const RepairPlan& plan,
                               const Progress& progress) {
  for (const auto id : plan.ownerless) {
    if (engine.contains(id)) continue;
    if (const auto removed = spool::remove_content(disk, id); !removed) return failed(removed.error());
    progress("removed " + spool::content_name(id));
  }
  return {};
}

}  // namespace

Outcome<void> mend(const QueueOnDisk& queue, spool::Clock& clock, const RepairPlan& plan,
                   const Progress& progress) {
  const auto absent = find_absent(queue.disks);
  if (!absent) return failed(absent.error());
  if (absent->size() != plan.absent.size())
    return failure(ExitStatus::failed, "the folder has changed meanwhile");
  if (const auto put = put_placeholders(*absent); !put) return failed(put.error());
  const auto opened = spool::Engine::open(queue.disks, clock, queue.options, spool::CheckpointUse::none);
  if (!opened) return failed(opened.error());
  auto& engine = **opened;
  if (const auto made = make_room(engine, queue.options); !made) return failed(made.error());
  if (auto taken = take_out_unreadable(engine, plan, progress); !taken) return taken;
  if (auto emptied = empty(engine, plan, progress); !emptied) return emptied;
  // The server has not this much room, and may need spares to record what frees any.
  for (auto more = engine.maintain(); more && *more;) more = engine.maintain();
  if (auto removed = remove_discarded(engine, *queue.disks.main); !removed) return removed;
  return remove_ownerless(engine, *queue.disks.main, plan, progress);
}

Outcome<void> verify(const QueueOnDisk& queue, spool::Clock& clock) {
  auto now = plan_repair(queue, clock);
  if (!now) return std::unexpected(now.error());
  if (now->whole()) return {};
  return failure(ExitStatus::failed, fmt::format("the queue is still damaged: {}; run `spool repair` again",
                                                 summary_of(now->found)));
}

}  // namespace sternpost::tool

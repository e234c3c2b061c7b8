#include "tool/repair.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "tool/evidence.h"
#include "tool/removal.h"

namespace sternpost::tool {
namespace {

/// Beyond the limit of the queue, for what is moved: damaged segments give their place back later.
constexpr std::uint64_t kSegmentsMore = 4;

class Repair {
 public:
  Repair(const QueueOnDisk& queue, spool::Clock& clock, const RepairOrder& order, RepairPlan plan, bool json)
      : queue_(queue), clock_(clock), order_(order), plan_(std::move(plan)), json_(json) {}

  Outcome<void> run() {
    if (!json_) print_text(plan_);
    auto done = plan_.whole() ? Outcome<void>() : work();
    if (json_) fmt::print("{}\n", report(done.has_value()));
    if (!json_ && done)
      fmt::print("the queue is whole{}\n", plan_.whole() ? ": there is nothing to repair" : "");
    return done;
  }

 private:
  Outcome<void> work() {
    if (!order_.write) {
      return failure(ExitStatus::failed,
                     json_ ? "" : "nothing was changed; `--write --keep FOLDER` does what there is to do");
    }
    if (!plan_.absent.empty() && !order_.missing_is_lost) {
      return failure(
          ExitStatus::failed,
          fmt::format("segments that are not there: {}; put them back, or mount the disk that they are on "
                      "(spool.deferred_directory); with --missing-is-lost they are given up",
                      plan_.absent.size()));
    }
    if (auto kept = keep_evidence(); !kept) return unchanged(kept);
    if (auto mended = mend(); !mended) return broken_off(mended);
    return verify();
  }

  static Outcome<void> unchanged(const Outcome<void>& failed) {
    return failure(failed.error().status, failed.error().text + "; the queue was not changed");
  }
  static Outcome<void> broken_off(const Outcome<void>& failed) {
    return failure(failed.error().status,
                   failed.error().text +
                       "; nothing more is lost, and `spool repair` may be run again, with "
                       "another folder for --keep");
  }
  static std::unexpected<Failure> failed(const Error& error) {
    return failure(ExitStatus::failed, error.text);
  }

  /// All damaged files and checkpoints, and the report, before anything is changed.
  Outcome<void> keep_evidence() {
    auto folder = open_evidence(order_.keep);
    if (!folder) return std::unexpected(folder.error());
    for (auto* disk : {queue_.disks.main, queue_.disks.deferred}) {
      if (disk == nullptr) continue;
      auto names = disk->list();
      if (!names) return failed(names.error());
      std::ranges::sort(*names);
      for (const auto& name : *names) {
        if (!plan_.is_evidence(name)) continue;
        auto kept = keep(*disk, name, *folder);
        if (!kept) return std::unexpected(kept.error());
        kept_.push_back(std::move(*kept));
        if (!json_) fmt::print("copied {} to {}\n", name, folder->path());
      }
    }
    if (auto added = folder->add("repair.json", report(false) + "\n"); !added) return added;
    return folder->sync();
  }

  Outcome<void> mend() {
    auto absent = find_absent(queue_.disks);
    if (!absent) return failed(absent.error());
    if (absent->size() != plan_.absent.size())
      return failure(ExitStatus::failed, "the folder has changed meanwhile");
    if (auto put = put_placeholders(*absent); !put) return failed(put.error());
    auto options = queue_.options;
    options.max_spool_bytes = std::min(options.max_spool_bytes + kSegmentsMore * options.segment_bytes,
                                       options.segment_bytes * spool::kMaxSegments);
    options.min_free_bytes = 0;
    const auto engine = spool::Engine::open(queue_.disks, clock_, options, spool::CheckpointUse::none);
    if (!engine) return failed(engine.error());
    if (auto taken = take_out_unreadable(**engine); !taken) return taken;
    for (const auto slot : (*engine)->quarantined()) {
      if (auto emptied = empty(**engine, slot); !emptied) return emptied;
    }
    if (auto removed = remove_discarded(**engine, *queue_.disks.main); !removed) return removed;
    return remove_ownerless(**engine);
  }

  /// Last of all: until now a later start might have found whose they are.
  Outcome<void> remove_ownerless(const spool::Engine& engine) {
    for (const auto id : plan_.ownerless) {
      if (engine.contains(id)) continue;
      if (const auto removed = spool::remove_content(*queue_.disks.main, id); !removed)
        return failed(removed.error());
      if (!json_) fmt::print("removed {}\n", spool::content_name(id));
    }
    return {};
  }

  /// Nobody could ever be given it, and who is to be told is in the report.
  Outcome<void> take_out_unreadable(spool::Engine& engine) {
    for (const auto& one : plan_.found.unreadable) {
      const auto id = one.message.id;
      const auto message = engine.find(id);
      if (!message || is_readable(engine, id)) continue;
      const std::vector<spool::Op> ops{removal_of(id, message->state, "damaged, taken out by spool repair")};
      if (const auto removed = engine.commit(ops).front(); !removed) return failed(removed.error());
      if (!json_) fmt::print("took message {} out of the queue\n", to_string(id));
    }
    return {};
  }

  static bool is_readable(spool::Engine& engine, QueueId id) {
    const auto envelope = spool::read_patiently([&] { return engine.read_envelope(id); });
    const auto content = read_through(engine, id);
    return (envelope || !is_damage(envelope.error())) && (content || !is_damage(content.error()));
  }

  Outcome<void> empty(spool::Engine& engine, std::uint32_t slot) {
    const auto name = spool::segment_name(slot);
    if (!plan_.is_damaged(slot)) {
      return failure(ExitStatus::failed, name + " was not damaged before, and was not copied");
    }
    if (const auto emptied = engine.empty_quarantined(slot); !emptied) return failed(emptied.error());
    if (!json_) fmt::print("emptied {}\n", name);
    return {};
  }

  /// As the next start finds it.
  Outcome<void> verify() {
    auto now = plan_repair(queue_, clock_);
    if (!now) return std::unexpected(now.error());
    if (now->whole()) return {};
    return failure(ExitStatus::failed, fmt::format("the queue is still damaged: {}; run `spool repair` again",
                                                   summary_of(now->found)));
  }

  [[nodiscard]] std::string report(bool done) const {
    std::string out;
    JsonWriter writer(out);
    append_json(writer.begin_object(), plan_);
    writer.key("copied").begin_array();
    for (const auto& file : kept_) {
      writer.begin_object().member("file", file.name).member("octets", file.octets);
      writer.key("unreadable").begin_array();
      for (const auto& [offset, length] : file.unreadable) {
        writer.begin_object().member("offset", offset).member("octets", length).end_object();
      }
      writer.end_array().end_object();
    }
    writer.end_array().member("repaired", done).end_object();
    return out;
  }

  const QueueOnDisk& queue_;
  spool::Clock& clock_;
  const RepairOrder& order_;
  RepairPlan plan_;
  bool json_;
  std::vector<KeptFile> kept_;
};

}  // namespace

Outcome<void> repair(const QueueOnDisk& queue, spool::Clock& clock, const RepairOrder& order, bool json) {
  auto plan = plan_repair(queue, clock);
  if (!plan) return std::unexpected(plan.error());
  return Repair(queue, clock, order, std::move(*plan), json).run();
}

}  // namespace sternpost::tool

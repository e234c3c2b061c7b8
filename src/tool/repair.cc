#include "tool/repair.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tool/evidence.h"
#include "tool/mending.h"

namespace sternpost::tool {
namespace {

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
    const auto progress = [this](const std::string& done) {
      if (!json_) fmt::print("{}\n", done);
    };
    if (auto mended = mend(queue_, clock_, plan_, progress); !mended) return broken_off(mended);
    return verify(queue_, clock_);
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

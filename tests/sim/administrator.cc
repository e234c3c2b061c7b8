#include "administrator.h"

#include <optional>

#include "spool/overlay_disk.h"
#include "tool/mending.h"

namespace sternpost::sim {
namespace {

constexpr std::uint64_t kUnlimited = 1ULL << 40U;
/// What rots in a spare is met by the repair that uses it, and mended by the next one.
constexpr unsigned kRepairs = 10;

}  // namespace

spool::Disks Administrator::disks() const {
  return {*disks_.front(), disks_.size() > 1 ? disks_.back() : nullptr};
}

/// As a start reads it that does not begin with a checkpoint, for a repair does not either. Nothing is
/// written.
Model::Found Administrator::look(const spool::EngineOptions& options) {
  for (auto* disk : disks_) disk->set_calm(true);
  spool::OverlayDisk main(*disks_.front());
  std::optional<spool::OverlayDisk> second;
  if (disks_.size() > 1) second.emplace(*disks_.back());
  const auto engine =
      spool::Engine::open({main, second ? &*second : nullptr}, clock_, options, spool::CheckpointUse::none);
  if (!engine) throw Violation{"a spool to be repaired does not open: " + engine.error().text};
  auto found = Model::read(**engine);
  for (auto* disk : disks_) disk->set_calm(false);
  return found;
}

/// Answers why the spool is not whole; empty where it is.
std::string Administrator::run(const spool::EngineOptions& options, std::uint64_t calls_to_crash) {
  const tool::QueueOnDisk queue{"spool", disks(), options};
  const auto plan = tool::plan_repair(queue, clock_);
  if (!plan) return plan.error().text;
  if (plan->whole()) return {};
  for (auto* disk : disks_) disk->crash_after(calls_to_crash);
  const auto mended = tool::mend(queue, clock_, *plan, [](const std::string&) {});
  if (!mended) return mended.error().text;
  const auto verified = tool::verify(queue, clock_);
  return verified ? std::string() : verified.error().text;
}

/// Calls to read do not fail for a moment: three times in a row they would be taken for damage.
void Administrator::try_once(const spool::EngineOptions& options, const FailureRates& rates) {
  for (auto* disk : disks_) disk->set_failures({rates.sync, rates.write, 0});
  // A few calls, or very many: one repair makes more than another.
  const auto calls = 1 + dice_.below(2ULL << dice_.below(11));
  try {
    if (!run(options, calls).empty()) ++story_.failed_calls;
  } catch (const Crash&) {
    ++story_.crashes;
    ++story_.repairs_cut;
    if (dice_.chance(0.7)) {
      ++story_.power_losses;
      for (auto* disk : disks_) disk->lose_power();
    }
  }
  for (auto* disk : disks_) disk->crash_after(0);
}

/// On disks that work and have room.
void Administrator::finish(const spool::EngineOptions& options) {
  for (auto* disk : disks_) {
    disk->set_failures({});
    disk->set_capacity(kUnlimited);
  }
  auto why = run(options, 0);
  for (unsigned tries = 1; tries < kRepairs && !why.empty(); ++tries) why = run(options, 0);
  if (!why.empty()) throw Violation{"working disks, and a spool that cannot be repaired: " + why};
  // What an earlier try did may be in memory alone: a plan that finds nothing to do leaves it there.
  if (const auto started = spool::Engine::open(disks(), clock_, options); !started)
    throw Violation{"a repaired spool does not open: " + started.error().text};
}

void Administrator::repair(Model& model, const spool::EngineOptions& options, const FailureRates& rates) {
  ++story_.repairs;
  const auto before = look(options);
  if (dice_.chance(0.8)) {
    try_once(options, rates);
    Model::check_repair(before, look(options));
    if (dice_.chance(0.3)) return;  // the server goes on with what it finds
  }
  finish(options);
  Model::check_repair(before, look(options));
  // What nobody reads any more may still be rotten: all files are copied to other disks.
  for (auto* disk : disks_) disk->heal();
  model.repaired(before);
}

}  // namespace sternpost::sim

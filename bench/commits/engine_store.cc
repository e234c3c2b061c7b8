// Sternpost's engine, as spool drives it: one thread, a group for all that waits, and between groups a step
// of what is pressing. Segments are prepared ahead, as in a spool that has seen such a burst before.

#include <algorithm>
#include <utility>
#include <vector>

#include "disk_variants.h"
#include "engine_parts.h"
#include "store.h"

namespace sternpost::bench {
namespace {

/// What a message takes in a segment, envelope, headers and its part of the padding included. Runs with
/// groups so small that it is more are too slow to use up the room.
constexpr std::uint64_t kBytesInLog = kMessageBytes + 512;
/// Outcomes in one commit.
constexpr std::uint64_t kBatch = 1024;

spool::EngineOptions options_for(const Site& site) {
  spool::EngineOptions options;
  options.spare_segments = static_cast<std::uint32_t>(site.room * kBytesInLog / options.segment_bytes + 4);
  options.max_spool_bytes = (options.spare_segments + 64) * options.segment_bytes;
  options.salt = 0x5eed;
  return options;
}

class EngineStore : public Store {
 public:
  EngineStore(const Site& site, std::unique_ptr<spool::Disk> disk, bool syncs_behind = false)
      : disk_(std::move(disk)),
        engine_(must(spool::Engine::open(*disk_, clock_, options_for(site)))),
        message_{{}, envelope(), content()},
        syncs_behind_(syncs_behind) {
    prepare();
  }

  [[nodiscard]] bool syncs_behind() const override { return syncs_behind_; }

  void commit(std::uint64_t, std::size_t count) override {
    if (ops_.size() != count) ops_.assign(count, message_);
    const auto first = must(engine_->lease(static_cast<std::uint32_t>(count)));
    for (std::size_t i = 0; i < count; ++i) std::get<spool::AddMessage>(ops_[i]).id = {first.value + i};
    for (const auto& result : engine_->commit(ops_)) {
      if (!result) die(result.error().text);
    }
    leased_.emplace_back(first.value, count);
    must(engine_->maintain(spool::Upkeep::pressing));
  }

  void clear() override {
    std::vector<spool::Op> outcomes;
    for (const auto& [first, count] : std::exchange(leased_, {})) {
      for (std::uint64_t i = 0; i < count; ++i) outcomes.push_back(delivery(QueueId{first + i}));
      if (outcomes.size() >= kBatch) record(outcomes);
    }
    record(outcomes);
    prepare();
  }

 private:
  void record(std::vector<spool::Op>& outcomes) {
    for (const auto& result : engine_->commit(outcomes)) {
      if (!result) die(result.error().text);
    }
    outcomes.clear();
  }

  void prepare() {
    while (must(engine_->maintain())) {
    }
  }

  std::unique_ptr<spool::Disk> disk_;
  spool::SystemClock clock_;
  std::unique_ptr<spool::Engine> engine_;
  spool::AddMessage message_;
  bool syncs_behind_;
  std::vector<spool::Op> ops_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> leased_;  ///< first id and how many
};

}  // namespace

std::unique_ptr<Store> make_engine_store(const Site& site) {
  return std::make_unique<EngineStore>(site, posix_disk(site));
}

std::unique_ptr<Store> make_direct_engine_store(const Site& site) {
  return std::make_unique<EngineStore>(site, std::make_unique<DirectDisk>(posix_disk(site), site.folder));
}

std::unique_ptr<Store> make_threaded_engine_store(const Site& site) {
  return std::make_unique<EngineStore>(site, std::make_unique<ThreadedDisk>(posix_disk(site)), true);
}

std::unique_ptr<Store> make_threaded_direct_engine_store(const Site& site) {
  auto direct = std::make_unique<DirectDisk>(posix_disk(site), site.folder);
  return std::make_unique<EngineStore>(site, std::make_unique<ThreadedDisk>(std::move(direct)), true);
}

}  // namespace sternpost::bench

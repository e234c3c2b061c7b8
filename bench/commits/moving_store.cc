// Sternpost's engine under a steady load: each group takes messages and ends as many, half of them at once,
// the other half when so many have come after them that their segment's turn to be recycled was before. So
// half of each segment is live when its turn comes. With few segments all of that is moved while the load
// goes on; beside it the same load over spares enough, where nothing is moved or prepared.
#include <algorithm>
#include <deque>
#include <vector>

#include "engine_parts.h"
#include "store.h"

namespace sternpost::bench {
namespace {

/// As many messages come before one of the late half ends: eight segments of them.
constexpr std::size_t kLate = 32768;
/// The live ones would fill four segments and a half, and nine hold what comes until the late half of the
/// first is dead: with three spares there are fewer, so that some of each segment must be moved.
constexpr std::uint32_t kFewSegments = 11;
constexpr std::size_t kWarmUpGroup = 128;
constexpr std::uint64_t kBytesInLog = kMessageBytes + 512;

spool::EngineOptions options_for(const Site& site, bool moves) {
  spool::EngineOptions options;
  options.salt = 0x5eed;
  options.checkpoint_bytes = 0;
  options.spare_segments =
      moves ? spool::kLeastSpares + 1
            : static_cast<std::uint32_t>((site.room + 2 * kLate) * kBytesInLog / options.segment_bytes + 4);
  options.max_spool_bytes = (moves ? kFewSegments : options.spare_segments + 64) * options.segment_bytes;
  return options;
}

class MovingStore final : public Store {
 public:
  MovingStore(const Site& site, bool moves)
      : moves_(moves),
        disk_(posix_disk(site)),
        engine_(must(spool::Engine::open(*disk_, clock_, options_for(site, moves)))),
        message_{{}, envelope(), content()} {
    maintain_all();
    for (std::size_t done = 0; done < 2 * kLate; done += kWarmUpGroup) commit(done, kWarmUpGroup);
    clear();
  }

  void commit(std::uint64_t, std::size_t count) override {
    const auto first = must(engine_->lease(static_cast<std::uint32_t>(count)));
    ops_.resize(count, message_);
    for (std::size_t i = 0; i < count; ++i) {
      const QueueId id{first.value + i};
      std::get<spool::AddMessage>(ops_[i]).id = id;
      (i % 2 == 0 ? soon_ : late_).push_back(id);
    }
    end(soon_, count);
    end(late_, kLate / 2);
    for (const auto& result : engine_->commit(ops_)) {
      if (!result) die(result.error().text);
    }
    ops_.erase(ops_.begin() + static_cast<std::ptrdiff_t>(count), ops_.end());
    must(engine_->maintain(spool::Upkeep::pressing));
  }

  void clear() override {
    if (!moves_) maintain_all();
  }

  [[nodiscard]] std::uint64_t bytes_written() const override { return engine_->stats().log.bytes_written; }

 private:
  /// All but so many, the earliest first.
  void end(std::deque<QueueId>& ids, std::size_t kept) {
    for (; ids.size() > kept; ids.pop_front()) ops_.push_back(delivery(ids.front()));
  }

  void maintain_all() {
    while (must(engine_->maintain())) {
    }
  }

  bool moves_;
  std::unique_ptr<spool::Disk> disk_;
  spool::SystemClock clock_;
  std::unique_ptr<spool::Engine> engine_;
  spool::AddMessage message_;
  std::vector<spool::Op> ops_;  ///< between groups messages alone
  std::deque<QueueId> soon_;
  std::deque<QueueId> late_;
};

}  // namespace

std::unique_ptr<Store> make_moving_store(const Site& site) {
  return std::make_unique<MovingStore>(site, true);
}

std::unique_ptr<Store> make_resting_store(const Site& site) {
  return std::make_unique<MovingStore>(site, false);
}

}  // namespace sternpost::bench

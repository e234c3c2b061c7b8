#include "workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "administrator.h"
#include "dice.h"
#include "model.h"
#include "operations.h"
#include "sim_clock.h"
#include "spool/engine.h"
#include "spool/log_walk.h"

namespace sternpost::sim {
namespace {

constexpr std::uint64_t kSegment = 64 * 1024;
/// Operations of one commit that fill groups.
constexpr std::size_t kDense = 100;

constexpr auto kYear = Seconds(86400 * 365);

class Life {
 public:
  Life(std::uint64_t seed, const Lies& lies)
      : dice_(seed),
        disk_(dice_.random(), (6 + dice_.below(20)) * kSegment, lies),
        second_disk_(dice_.random(), (2 + dice_.below(12)) * kSegment, lies) {
    options_.segment_bytes = kSegment;
    options_.checkpoint_bytes = 0;
    options_.spare_segments = static_cast<std::uint32_t>(2 + dice_.below(3));
    options_.max_message_bytes = kSegment;
    options_.max_spool_bytes = (options_.spare_segments + 2 + dice_.below(16)) * kSegment;
    options_.max_group_bytes = (1 + dice_.below(16)) * spool::kBlock;
    if (dice_.chance(0.8)) options_.checkpoint_bytes = (1 + dice_.below(32)) * spool::kBlock;
    operations_.habits().target_live = 1 + dice_.below(60);
    steps_ = 120 + dice_.below(200);
    mean_calls_to_crash_ = 30 + dice_.below(400);
    if (dice_.chance(0.6)) rates_ = {0.03 * dice_.unit(), 0.02 * dice_.unit(), 0.005 * dice_.unit()};
    if (dice_.chance(0.2)) rates_.sync = 0.3 * dice_.unit();  // a disk that is about to die
    if (dice_.chance(0.3)) stuff();
    if (dice_.chance(0.5)) operations_.habits().large = 0.3 * dice_.unit();
    if (dice_.chance(0.1)) rots_at_ = dice_.below(steps_);
    if (dice_.chance(0.3)) disks_.push_back(&second_disk_);
    if (dice_.chance(0.5)) clock_steps_ = 0.2 * dice_.unit();
  }

  LifeStory run() {
    try {
      for (; step_ < steps_; ++step_) {
        if (step_ == rots_at_) rot();
        step();
      }
      if (engine_) check();
      end(/*power=*/true);
      for (auto* disk : disks_) {
        disk->set_failures({});
        disk->crash_after(0);
      }
      open();
      if (!engine_) throw Violation{"a working disk and no spool: " + why_not_};
      count_dead_lists();
      make_up_for_rot();
      if (dice_.chance(0.5)) expire_all();
      finish_all();
      take_one_more();
    } catch (const Violation& violation) {
      story_.violation = violation.what;
    }
    story_.finished = model_.finished();
    return story_;
  }

 private:
  /// Deferrals fill the spool, and hardly anything frees it.
  void stuff() {
    operations_.habits().deferring = 0.97;
    operations_.habits().target_live = 400;
    operations_.habits().longest_reply = spool::kMaxReplyText;
    options_.max_spool_bytes = (options_.spare_segments + 2 + dice_.below(4)) * kSegment;
    steps_ *= 2;
  }

  void rot() {
    ++story_.rots;
    disks_[dice_.below(disks_.size())]->rot(1 + dice_.below(6));
    model_.rot();
  }

  std::vector<QueueId> all_in_any_order() {
    std::vector<QueueId> ids;
    for (const auto& [position, id] : engine_->messages_after(0, std::numeric_limits<std::size_t>::max())) {
      ids.push_back(id);
    }
    std::ranges::shuffle(ids, dice_.random());
    return ids;
  }

  /// All that is open fails for good, and nothing of it leaves the queue: the densest records that stay
  /// needed. They may be refused for lack of space, and must leave what the end of each message needs.
  void expire_all() {
    for (const auto id : all_in_any_order()) {
      const auto state = engine_->find(id)->state;
      if (state.held) in_flight_.push_back(spool::Release{id});
      auto expired = operations_.expiry(id, state);
      if (!expired.outcomes.empty()) in_flight_.push_back(std::move(expired));
      if (in_flight_.size() >= kDense) commit_in_flight();
    }
    commit_in_flight();
    check();
  }

  /// However full the spool is: on a disk that works, whatever ends a message is recorded.
  void finish_all() {
    for (const auto id : all_in_any_order()) {
      const std::vector<spool::Op> ops{spool::removal_of(id, engine_->find(id)->state, "done", clock_.now())};
      auto results = engine_->commit(ops);
      // Rot that no start had to read may be met only now, and growing that failed waits for a time.
      for (unsigned tries = 0; !results.front() && model_.is_rotten() && tries < 100; ++tries) {
        make_up_for_rot(1);
        results = engine_->commit(ops);
      }
      if (!results.front()) {
        const auto stats = engine_->stats();
        throw Violation{fmt::format(
            "a working disk and no progress: {} spares, {} segments, {} quarantined, {} of {} octets: {}",
            stats.spares, stats.segments, stats.quarantined, stats.bytes, options_.max_spool_bytes,
            results.front().error().text)};
      }
      model_.committed(ops, &results);
    }
    check();
  }

  /// Segments that rot made useless do not count, nor what repairs took that were broken off: they may be
  /// those that were left for recycling, and `more` that were not noticed to be so by the last start.
  void make_up_for_rot(std::uint64_t more = 0) {
    const auto stats = engine_->stats();
    const auto rotten = stats.quarantined + more;
    if (rotten == 0) return;
    for (auto* disk : disks_) disk->set_capacity(1ULL << 40U);
    auto options = options_;
    options.max_spool_bytes =
        std::max(options.max_spool_bytes, stats.bytes) + rotten * kSegment + stats.content_bytes;
    if (!engine_->reconfigure(options)) throw Violation{"limits that are not taken"};
  }

  void take_one_more() {
    for (auto* disk : disks_) disk->set_capacity(1ULL << 40U);
    make_up_for_rot();
    for (unsigned steps = 0; steps < 10000; ++steps) {
      const auto more = engine_->maintain();
      if (more && !*more) break;
    }
    if (engine_->stats().spares < 2) throw Violation{"an empty queue, and no spare segments"};
    operations_.remove_discarded(*engine_, 1);
    if (!model_.is_rotten()) check_no_orphans();
    operations_.habits().large = 0;
    auto op = operations_.add(*engine_);
    if (!op) throw Violation{"an empty queue, and no ids"};
    const std::vector<spool::Op> ops{std::move(*op)};
    const auto results = engine_->commit(ops);
    if (!results.front())
      throw Violation{"an empty queue does not take mail: " + results.front().error().text};
  }

  void step() {
    if (dice_.chance(clock_steps_)) step_clock();
    try {
      if (!engine_) {
        // What keeps failing is repaired at last.
        for (auto* disk : disks_) disk->set_failures(failed_opens_ < 3 ? rates_ : FailureRates{});
        if (failed_opens_ < 3 && dice_.chance(0.2))
          disks_.back()->set_failures({0.9, 0.9, 0});  // only it, perhaps
        for (auto* disk : disks_) disk->crash_after(1 + dice_.below(2 * mean_calls_to_crash_));
        open();
        if (engine_ && model_.is_rotten() && dice_.chance(is_damaged() ? 0.3 : 0.05)) repair();
        return;
      }
      act();
    } catch (const Crash&) {
      ++story_.crashes;
      if (!in_flight_.empty()) model_.committed(in_flight_, nullptr);
      end(dice_.chance(0.5));
    }
  }

  void end(bool power) {
    in_flight_.clear();
    operations_.forget();
    if (engine_) {
      story_.segments_reset += engine_->stats().log.segments_reset;
      story_.deferred_groups += engine_->stats().log.deferred_groups;
      story_.checkpoints += engine_->stats().checkpoints;
    }
    engine_.reset();
    model_.restarted();
    if (!power) return;  // killed: what was written can still be read, and be lost later
    ++story_.power_losses;
    for (auto* disk : disks_) disk->lose_power();
  }

  spool::Disks all_disks() { return {disk_, disks_.size() > 1 ? &second_disk_ : nullptr}; }

  /// No operation asks for them.
  void count_dead_lists() {
    const auto walked = spool::walk_log(all_disks(), [this](const spool::LogEntry& entry) {
      const bool is_dead_list =
          entry.record != nullptr && entry.record->header.type == spool::RecordType::dead_list;
      story_.dead_lists += is_dead_list ? 1 : 0;
    });
    if (!walked) throw Violation{"the log cannot be read: " + walked.error().text};
  }

  void open() {
    options_.salt = dice_.random()();
    auto opened = spool::Engine::open(all_disks(), clock_, options_);
    if (!opened) {
      ++failed_opens_;
      why_not_ = opened.error().text;
      ++story_.failed_calls;
      return;
    }
    failed_opens_ = 0;
    engine_ = std::move(*opened);
    story_.torn_tails += engine_->recovery().torn_tails;
    story_.from_checkpoint += engine_->recovery().from_checkpoint ? 1 : 0;
    story_.checkpoints_refused += engine_->recovery().no_checkpoint.empty() ? 0 : 1;
    story_.orphans += engine_->recovery().orphans.size();
    check();
  }

  void check() {
    for (auto* disk : disks_) disk->set_calm(true);
    model_.check(*engine_);
    for (auto* disk : disks_) disk->set_calm(false);
    for (const auto id : model_.live()) count_state(model_.state(id));
  }

  void count_state(const spool::MessageState& state) {
    if (state.held) {
      ++story_.held;
    } else if (state.open() == 0) {
      ++story_.owing;
    } else {
      ++(state.attempted().empty() ? story_.queued : story_.deferred);
    }
  }

  void count(const spool::Op& op) {
    if (std::holds_alternative<spool::ReplaceEnvelope>(op)) ++story_.envelopes;
    if (std::holds_alternative<spool::RecordOutcomes>(op)) ++story_.outcomes;
    if (std::holds_alternative<spool::Hold>(op) || std::holds_alternative<spool::Release>(op)) ++story_.marks;
  }

  /// Either way, by seconds or years; to the end of 32 bits, of either kind, or to 1970.
  void step_clock() {
    static constexpr Seconds kMarks[] = {Seconds(0), Seconds(1LL << 31), Seconds(1LL << 32)};
    static constexpr Seconds kReach[] = {Seconds(10), Seconds(86400), 100 * kYear};
    ++story_.clock_steps;
    if (dice_.chance(0.2)) return clock_.step_to({Microseconds(kMarks[dice_.below(3)]).count()});
    const auto reach = static_cast<double>(Microseconds(kReach[dice_.below(3)]).count());
    clock_.step_to({clock_.now().microseconds + std::llround((2 * dice_.unit() - 1) * reach)});
  }

  void check_no_orphans() {
    const auto names = disk_.list();
    for (const auto& name : *names) {
      if (spool::parse_content_name(name)) throw Violation{name + " has no message, and is not discarded"};
    }
  }

  [[nodiscard]] bool is_damaged() const { return !engine_->recovery().quarantined.empty(); }

  /// Of what the start that has just succeeded found, and made durable.
  void repair() {
    for (auto* disk : disks_) disk->crash_after(0);
    end(/*power=*/false);
    options_.salt = dice_.random()();
    administrator_.repair(model_, options_, rates_);
    if (!model_.is_rotten() && dice_.chance(0.5)) rots_at_ = step_ + 1 + dice_.below(steps_);
  }

  void act() {
    if (dice_.chance(0.5)) operations_.remove_discarded(*engine_, 0.7);
    const auto what = dice_.below(100);
    if (what < 60) {
      commit();
    } else if (what < 90) {
      // Recycling is where most depends on the order of things: sometimes it does not get to its end.
      if (dice_.chance(0.1)) disks_[dice_.below(disks_.size())]->crash_after(1 + dice_.below(12));
      for (auto n = dice_.below(6); n > 0; --n) maintain();
    } else if (what < 96) {
      check();
    } else if (what < 98) {
      disks_[dice_.below(disks_.size())]->set_capacity((2 + dice_.below(24)) * kSegment);
    } else {
      if (dice_.chance(0.5) && !engine_->write_checkpoint()) ++story_.failed_calls;
      if (dice_.chance(0.1)) damage_a_checkpoint();
      end(dice_.chance(0.5));
    }
  }

  void damage_a_checkpoint() {
    disk_.set_calm(true);
    const auto file = disk_.open(std::string(spool::kCheckpointNames.at(dice_.below(2))));
    const auto size = *(*file)->size();
    std::ignore = (*file)->write(dice_.below(size + 1), "damage");
    std::ignore = (*file)->sync();
    disk_.set_calm(false);
  }

  void maintain() {
    const auto upkeep = dice_.chance(0.5) ? spool::Upkeep::pressing : spool::Upkeep::all;
    if (!engine_->maintain(upkeep)) ++story_.failed_calls;
  }

  void commit() {
    for (auto n = 1 + dice_.below(8); n > 0; --n) {
      if (auto op = operations_.next(*engine_)) in_flight_.push_back(std::move(*op));
    }
    commit_in_flight();
  }

  void commit_in_flight() {
    const auto before = engine_->stats().deferrals_in_memory;
    const auto results = engine_->commit(in_flight_);
    const auto in_memory = engine_->stats().deferrals_in_memory - before;
    story_.deferrals_in_memory += in_memory;
    for (std::size_t i = 0; i < results.size(); ++i) {
      const auto& result = results[i];
      if (result) count(in_flight_[i]);
      if (result || result.error().what_to_do == ErrorClass::permanent) continue;
      ++(result.error().errno_value == ENOSPC ? story_.refused_full : story_.failed_calls);
    }
    const auto ops = std::exchange(in_flight_, {});
    model_.committed(ops, &results, in_memory > 0);
  }

  Dice dice_;
  SimDisk disk_;
  SimDisk second_disk_;
  std::vector<SimDisk*> disks_{&disk_};  ///< in use
  SimClock clock_;
  spool::EngineOptions options_;
  FailureRates rates_;
  Model model_;
  std::unique_ptr<spool::Engine> engine_;
  std::vector<spool::Op> in_flight_;
  std::uint64_t steps_ = 0;
  std::uint64_t step_ = 0;
  std::uint64_t mean_calls_to_crash_ = 0;
  std::uint64_t rots_at_ = std::numeric_limits<std::uint64_t>::max();
  double clock_steps_ = 0;  ///< of all steps of this life
  unsigned failed_opens_ = 0;
  std::string why_not_;  ///< it did not open
  LifeStory story_;
  Operations operations_{dice_, model_, disk_, clock_, story_};
  Administrator administrator_{dice_, disks_, clock_, story_};
};

}  // namespace

LifeStory live(std::uint64_t seed, const Lies& lies) {
  return Life(seed, lies).run();
}

}  // namespace sternpost::sim

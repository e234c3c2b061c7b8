#include "load.h"

#include <semaphore.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

namespace sternpost::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

double seconds_between(SteadyClock::time_point begin, SteadyClock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class Stopwatch {
 public:
  [[nodiscard]] SteadyClock::time_point begin() const { return begin_; }
  void stop(Measured& measured) const {
    measured.seconds = seconds_between(begin_, SteadyClock::now());
    measured.cpu_seconds = cpu_seconds() - cpu_;
    std::ranges::sort(measured.microseconds);
  }

 private:
  double cpu_ = cpu_seconds();
  SteadyClock::time_point begin_ = SteadyClock::now();
};

/// Who waits for a group.
class Producer {
 public:
  Producer() { ::sem_init(&durable_, 0, 0); }
  ~Producer() { ::sem_destroy(&durable_); }
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  void wait() { ::sem_wait(&durable_); }
  void answer() { ::sem_post(&durable_); }

  std::vector<double> microseconds;

 private:
  sem_t durable_{};
};

class ThreadedRun {
 public:
  ThreadedRun(Store& store, const Plan& plan, const Stopwatch& watch)
      : store_(store), plan_(plan), begin_(watch.begin()), working_(plan.producers) {}

  /// One producer's life.
  void produce(Producer& self) {
    auto begin = SteadyClock::now();
    while (seconds_between(begin_, begin) < plan_.seconds) {
      const auto number = next_.fetch_add(1, std::memory_order_relaxed);
      if (number >= plan_.room) break;
      if (store_.is_shared()) {
        store_.commit(number, 1);
      } else {
        hand_over(self);
        self.wait();
      }
      const auto end = SteadyClock::now();
      self.microseconds.push_back(seconds_between(begin, end) * 1e6);
      begin = end;
    }
    const std::lock_guard lock(mutex_);
    --working_;
    came_.notify_one();
  }

  /// The one who commits for all, until the last producer has gone.
  void commit_for_all() {
    std::vector<Producer*> group;
    std::uint64_t committed = 0;
    while (true) {
      std::unique_lock lock(mutex_);
      came_.wait(lock, [this] { return !waiting_.empty() || working_ == 0; });
      if (waiting_.empty()) return;
      lock.unlock();
      std::this_thread::yield();  // as spool does: those who are ready to hand over come along
      lock.lock();
      group.swap(waiting_);
      lock.unlock();
      store_.commit(committed, group.size());
      committed += group.size();
      for (auto* producer : group) producer->answer();
      group.clear();
    }
  }

 private:
  void hand_over(Producer& producer) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(&producer);
    if (waiting_.size() == 1) came_.notify_one();
  }

  Store& store_;
  const Plan& plan_;
  SteadyClock::time_point begin_;
  std::atomic<std::uint64_t> next_ = 0;
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<Producer*> waiting_;
  std::size_t working_;
};

}  // namespace

Measured run_at_once(Store& store, const Plan& plan) {
  Measured measured;
  measured.microseconds.reserve(1U << 16U);
  const Stopwatch watch;
  auto before = watch.begin();  // when the group before was begun
  auto begin = watch.begin();
  while (seconds_between(watch.begin(), begin) < plan.seconds &&
         measured.messages + plan.producers <= plan.room) {
    store.commit(measured.messages, plan.producers);
    measured.messages += plan.producers;
    const auto end = SteadyClock::now();
    measured.microseconds.push_back(seconds_between(store.syncs_behind() ? before : begin, end) * 1e6);
    before = std::exchange(begin, end);
  }
  watch.stop(measured);
  return measured;
}

Measured run_threads(Store& store, const Plan& plan) {
  Measured measured;
  std::deque<Producer> producers(plan.producers);
  const Stopwatch watch;
  ThreadedRun run(store, plan, watch);
  {
    std::vector<std::jthread> threads;
    for (auto& producer : producers) threads.emplace_back([&] { run.produce(producer); });
    if (!store.is_shared()) run.commit_for_all();
  }
  for (const auto& producer : producers) {
    measured.messages += producer.microseconds.size();
    measured.microseconds.insert(measured.microseconds.end(), producer.microseconds.begin(),
                                 producer.microseconds.end());
  }
  watch.stop(measured);
  return measured;
}

}  // namespace sternpost::bench

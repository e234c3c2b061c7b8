// Stopping in the order of the plan, and the answer to `sternpost status`.
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "service/master/plan.h"
#include "service/master/supervisor.h"

namespace sternpost {
namespace {

constexpr Milliseconds kStatusDeadline{500};
constexpr unsigned kLastStage = 6;
constexpr std::size_t kMostCounters = 64;
constexpr std::size_t kLongestCounter = 64;
/// Of the processes in one answer.
constexpr std::size_t kStatusBytes = control::kMaxFrame - 1024;

std::vector<control::Counter> bounded(std::vector<control::Counter>&& counters) {
  counters.resize(std::min(counters.size(), kMostCounters));
  for (auto& counter : counters) counter.name.resize(std::min(counter.name.size(), kLongestCounter));
  return std::move(counters);
}

}  // namespace

void Supervisor::stop(std::string failure) {
  if (!failure.empty() && failure_.empty()) failure_ = std::move(failure);
  if (std::exchange(stopping_, true)) return;
  if (reload_) refuse_reload("the server stops");
  // Nobody takes connections any more; while one socket were open, the system would still make them.
  resources_.listeners = {};
  stop_timer_.expires_after(Seconds(resources_.settings.drain_seconds));
  stop_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    for (const auto& process : processes_) process->end_now();
  });
  // Posted: the caller may stand in a handler of a process that this ends.
  boost::asio::post(loop_, [this] {
    // One that never became ready cannot drain; it has nothing in hand either.
    for (const auto& process : processes_) {
      if (process->state == ProcessState::starting) process->end_now();
    }
    stop_stage();
  });
}

/// Drains the rows of the present stage; when none is left, those of the next.
void Supervisor::stop_stage() {
  while (true) {
    bool any = false;
    for (const auto& process : processes_) {
      if (plan_row(process->row()).stop_order > stop_stage_) continue;
      any = true;
      if (!std::exchange(process->end_expected, true)) drain(*process, true);
    }
    if (any) return;
    if (stop_stage_ == kLastStage) break;
    ++stop_stage_;
  }
  stop_timer_.cancel();
  events_.on_end(failure_);
}

void Supervisor::begin_status(Process& asker, std::uint64_t request) {
  if (status_) return status_waiting_.emplace_back(asker.instance(), request), void();
  status_ = std::make_unique<StatusQuery>();
  status_->asker = asker.instance();
  status_->request = request;
  for (const auto& process : processes_) {
    if (process->state == ProcessState::starting) continue;
    status_->waiting.push_back(process->instance());
    process->send(control::QueryCounters{request});
  }
  status_timer_.expires_after(kStatusDeadline);
  status_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error && status_) answer_status();
  });
}

void Supervisor::on_counters(Process& process, control::Counters&& counters) {
  process.counters = bounded(std::move(counters.counters));
  if (!status_) return;
  std::erase(status_->waiting, process.instance());
  if (status_->waiting.empty()) answer_status();
}

void Supervisor::answer_status() {
  status_timer_.cancel();
  const auto query = std::exchange(status_, {});
  control::StatusAnswer answer;
  answer.request = query->request;
  control::ProcessStatus self{
      Compartment::master, 0, ::getpid(), generation_, "running", started_, 0, {}, {}};
  if (resources_.as_root) self.layers.emplace_back("root");
  self.counters = {{"wakeups", counters_.wakeups},
                   {"frames_in", counters_.frames_in},
                   {"frames_out", counters_.frames_out},
                   {"writes", counters_.writes}};
  auto bytes = encode(self).size();
  answer.processes.push_back(std::move(self));
  for (const auto& process : processes_) {
    control::ProcessStatus one{process->row(),
                               process->instance(),
                               process->pid(),
                               process->generation(),
                               std::string(to_string(process->state)),
                               process->since(),
                               restarts_[process->row()],
                               process->counters,
                               process->layers};
    bytes += encode(one).size();
    if (bytes > kStatusBytes) {
      ++answer.left_out;
    } else {
      answer.processes.push_back(std::move(one));
    }
  }
  if (auto* asker = find(query->asker)) asker->send(answer);
  while (!status_ && !status_waiting_.empty()) {
    const auto [next, request] = status_waiting_.front();
    status_waiting_.erase(status_waiting_.begin());
    if (auto* asker = find(next)) begin_status(*asker, request);  // it may have ended meanwhile
  }
}

}  // namespace sternpost

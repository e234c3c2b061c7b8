// Starting, connecting, restarting and renewing compartments. Reload stands in supervisor_reload.cc, stop and
// status in supervisor_stop.cc.
#include "service/master/supervisor.h"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <thread>

#include "runtime/channel/channel.h"
#include "service/master/confinement.h"
#include "service/master/plan.h"

namespace sternpost {
namespace {

/// A compartment that ends sooner than this after its start ended quickly.
constexpr Seconds kQuick{1};
/// So many quick ends in a row are answered at once; after them the restart waits.
constexpr unsigned kQuickEndsAtOnce = 5;
/// Processes of one row that finish what they have in hand, beside those that serve.
constexpr std::size_t kMostDraining = 256;
/// Beside the delay of a restart, what the restart itself may take.
constexpr std::uint32_t kRestartPatienceMs = 10'000;
/// What is believed of a process's own word about its layers.
constexpr std::size_t kMostLayers = 16;
constexpr std::size_t kLongestLayer = 64;
constexpr std::size_t kLongestReason = 4096;
/// The lines of a refused configuration; with what else is in the frame.
constexpr std::size_t kLongestAnswer = control::kMaxFrame - 1024;

std::vector<std::string> bounded(std::vector<std::string>&& layers) {
  layers.resize(std::min(layers.size(), kMostLayers));
  for (auto& layer : layers) layer.resize(std::min(layer.size(), kLongestLayer));
  return std::move(layers);
}

}  // namespace

Supervisor::Supervisor(boost::asio::io_context& loop, TrafficCounters& counters, const Launcher& launcher,
                       InstanceResources resources, Events events)
    : loop_(loop),
      counters_(counters),
      launcher_(launcher),
      resources_(std::move(resources)),
      events_(std::move(events)),
      records_(loop, counters, Compartment::master),
      reload_timer_(loop),
      status_timer_(loop),
      stop_timer_(loop),
      started_(wall_now()) {}

void Supervisor::begin() {
  for (const auto& row : plan()) {
    if (row.on_reload == OnReload::stays) continue;
    for (std::uint32_t i = 0; i < workers(row, resources_.settings); ++i) {
      if (start(row, generation_, in_force()) == nullptr) return;
    }
  }
}

std::uint32_t Supervisor::workers(const Row& row, const config::MasterSlice& settings) const {
  if (!row.preforked) return 1;
  return settings.smtpd_workers != 0 ? settings.smtpd_workers
                                     : std::max(1U, std::thread::hardware_concurrency());
}

Supervisor::Provisions Supervisor::in_force() const {
  return {resources_.slices, resources_.settings, resources_.listeners, resources_.trust_anchor};
}

Process* Supervisor::start(const Row& row, std::uint64_t generation, const Provisions& provisions) {
  auto launched = launcher_.launch(row.self);
  if (!launched) {
    // No process or descriptor to be had just now.
    records_.record({.decision = Decision::pressure,
                     .facts = {{"compartment", std::string(to_string(row.self))}},
                     .outcome = "cannot be started: " + launched.error().text});
    if (!was_ready_) stop(launched.error().text);
    return nullptr;
  }
  auto process = std::make_unique<Process>(
      loop_, counters_, row.self, next_instance_++, generation, std::move(*launched),
      Process::Handlers{[this](Process& from, control::FromService&& frame, std::vector<UniqueFd>&) {
                          on_frame(from, std::move(frame));
                        },
                        [this](Process& ended, const std::string& how) { on_end(ended, how); }});
  processes_.push_back(std::move(process));
  send_start(*processes_.back(), provisions);
  return processes_.back().get();
}

void Supervisor::send_start(Process& process, const Provisions& provisions) {
  const auto& row = plan_row(process.row());
  control::Start frame;
  frame.instance = process.instance();
  frame.confinement =
      confinement_of(row, resources_.as_root, resources_.settings.uid_base, resources_.folders.mail_owner(),
                     resources_.settings.weaker_sandbox, tcp_ports_of(row, provisions.settings));
  std::vector<int> descriptors = {provisions.slices.at(process.row()).get(), resources_.empty_root.get()};
  for (const auto& grant : row.folders) {
    descriptors.push_back(grant.place == Place::trust_anchor ? provisions.trust_anchor.get()
                                                             : resources_.folders.descriptor(grant.place));
  }
  if (row.smtp_listeners) {
    for (const int fd : provisions.listeners.descriptors()) descriptors.push_back(fd);
  }
  if (row.control_listener) {
    descriptors.push_back(resources_.control_socket.listener.get());
    frame.control_group = resources_.control_socket.group;
  }
  frame.peer_grace_ms = kRestartPatienceMs + resources_.settings.restart_delay_ms;
  frame.listeners = static_cast<std::uint32_t>(descriptors.size() - 2 - row.folders.size());
  for (const auto& other : processes_) {
    if (std::ranges::find(row.peers, other->row()) != row.peers.end()) ++frame.peers;
  }
  process.send_copies(frame, descriptors);
  connect(process);
}

/// Makes a channel to every living process that the plan connects with this one, oldest first.
void Supervisor::connect(Process& process) {
  const auto& row = plan_row(process.row());
  const bool is_log = process.row() == Compartment::log;
  for (const auto& other : processes_) {
    if (other.get() == &process) continue;
    const bool to_log = other->row() == Compartment::log || is_log;
    const bool planned = std::ranges::find(row.peers, other->row()) != row.peers.end();
    if (to_log || planned) link(process, *other);
  }
  if (is_log) connect_own_records(process);
}

void Supervisor::link(Process& a, Process& b) {
  auto pair = make_channel_pair();
  if (!pair) {
    // Without a channel they cannot work together; the younger one is started again in a better moment.
    return a.kill();
  }
  a.send(control::Peer{b.row(), b.instance()}, {to_shared(std::move(pair->first))});
  b.send(control::Peer{a.row(), a.instance()}, {to_shared(std::move(pair->second))});
}

void Supervisor::connect_own_records(Process& log) {
  auto pair = make_channel_pair();
  if (!pair) return;
  log.send(control::Peer{Compartment::master, 0}, {to_shared(std::move(pair->first))});
  records_.connect(std::move(pair->second));
}

void Supervisor::on_frame(Process& process, control::FromService&& frame) {
  std::visit(Overloaded{
                 [&](control::Ready& ready) { on_ready(process, std::move(ready.layers)); },
                 [&](control::Failed& failed) { process.failure = failed.why.substr(0, kLongestReason); },
                 [&](control::SliceAnswer& answer) { on_slice_answer(process, answer); },
                 [&](control::Retire& wish) { retire(process, wish.why); },
                 [&](control::Counters& answer) { on_counters(process, std::move(answer)); },
                 [&](control::AskStatus& ask) {
                   if (process.row() == Compartment::admin) begin_status(process, ask.request);
                 },
                 [&](control::AskConnect& ask) { connect_local(process, ask); },
                 [&](control::AskRun& ask) {
                   if (process.row() != Compartment::admin) return;
                   const auto answer = [this, asker = process.instance(), ask](const std::string& refused) {
                     if (auto* admin = find(asker))
                       admin->send(control::RunAnswer{ask.request, refused.substr(0, kLongestAnswer)});
                   };
                   if (ask.command == control::RunCommand::reload) return reload(answer);
                   answer("");
                   stop();
                 },
                 [](auto&) {},
             },
             frame);
}

void Supervisor::on_ready(Process& process, std::vector<std::string>&& layers) {
  if (process.state != ProcessState::starting) return;
  process.state = ProcessState::running;
  process.layers = bounded(std::move(layers));
  if (was_ready_) record(Decision::started, process, "ready");
  if (const auto found = successor_of_.find(process.instance()); found != successor_of_.end()) {
    if (auto* old = find(found->second)) drain(*old, false);
    successor_of_.erase(found);
    record(Decision::renewed, process, "a fresh process took over");
    bound_draining(process.row());
  }
  if (reload_ && reload_->starting_successors) {
    std::erase(reload_->successors, process.instance());
    if (reload_->successors.empty()) reload_->starting_last ? finish_reload() : start_successors(true);
  }
  const bool all =
      std::ranges::all_of(processes_, [](const auto& p) { return p->state != ProcessState::starting; });
  if (!was_ready_ && all && !stopping_) {
    was_ready_ = true;
    records_.record({.decision = Decision::started, .outcome = "the server is ready"});
    events_.on_ready();
  }
}

void Supervisor::on_end(Process& process, const std::string& how) {
  const auto& row = plan_row(process.row());
  const bool drained = process.state == ProcessState::draining || process.end_expected;
  // Ready or not: while the others are being started, nobody else lives by its generation.
  const bool was_successor =
      reload_ && row.on_reload == OnReload::renewed && process.generation() == reload_->generation;
  const auto why = process.failure.empty() ? how : how + ": " + process.failure;
  record(Decision::ended, process, why);
  const bool replacement_under_way = std::ranges::any_of(
      successor_of_, [&](const auto& entry) { return entry.second == process.instance(); });
  const auto predecessor = successor_of_.extract(process.instance());
  if (status_) std::erase(status_->waiting, process.instance());
  const bool quick = wall_now() - process.since() < kQuick;
  const bool told = reload_ && reload_->unanswered.contains(process.row()) &&
                    reload_->unanswered[process.row()] == process.instance();
  const auto name = std::string(to_string(process.row()));
  processes_.remove_if([&](const auto& entry) { return entry.get() == &process; });

  if (status_ && status_->waiting.empty()) answer_status();
  if (!was_ready_ && !stopping_) return stop(name + ": " + why);
  if (was_successor) return refuse_reload(name + ": " + why);
  if (told) refuse_reload(name + " ended while it was asked: " + why);
  if (stopping_ && row.stop_order <= stop_stage_) return stop_stage();
  if (drained || replacement_under_way) return stopping_ ? stop_stage() : void();
  ++restarts_[row.self];
  quick_ends_[row.self] = quick ? quick_ends_[row.self] + 1 : 0;
  if (!predecessor.empty() && find(predecessor.mapped()) != nullptr)
    return retire_later(predecessor.mapped());
  restart(row);
}

/// Starts the row again: at once, or after a while where it keeps ending or cannot be started.
void Supervisor::restart(const Row& row) {
  if (stopping_ && !was_ready_) return;  // a start that failed
  if (quick_ends_[row.self] <= kQuickEndsAtOnce && start(row, generation_, in_force()) != nullptr) {
    return;
  }
  after_restart_delay([this, &row] {
    const bool wanted = !stopping_ || row.stop_order > stop_stage_;
    // A reload may have started it meanwhile.
    if (wanted && serving(row.self) < workers(row, resources_.settings)) restart_now(row);
  });
}

/// Once, whatever ended before; the next try waits again.
void Supervisor::restart_now(const Row& row) {
  if (start(row, generation_, in_force()) != nullptr) return;
  quick_ends_[row.self] = kQuickEndsAtOnce + 1;
  restart(row);
}

void Supervisor::after_restart_delay(std::function<void()> work) {
  auto& timer = restart_timers_.emplace_back(loop_);
  timer.expires_after(Milliseconds(resources_.settings.restart_delay_ms));
  timer.async_wait([this, &timer, work = std::move(work)](const boost::system::error_code& error) {
    const auto due = error ? std::function<void()>{} : work;
    restart_timers_.remove_if([&](const auto& entry) { return &entry == &timer; });
    if (due) due();
  });
}

/// Processes of the row that serve or are about to, but for those that are to take over from others: they may
/// not live to do so.
std::size_t Supervisor::serving(Compartment row) const {
  const auto takes_over = [this](const Process& process) {
    const bool by_reload = reload_ && plan_row(process.row()).on_reload == OnReload::renewed &&
                           process.generation() == reload_->generation;
    return by_reload || successor_of_.contains(process.instance());
  };
  return static_cast<std::size_t>(std::ranges::count_if(processes_, [&](const auto& process) {
    return process->row() == row && process->state != ProcessState::draining && !process->end_expected &&
           !takes_over(*process);
  }));
}

/// Sessions that never end would keep a process each time their worker is renewed.
void Supervisor::bound_draining(Compartment row) {
  std::size_t draining = 0;
  for (const auto& process : processes_) {
    if (process->row() == row && process->is_draining_at_leisure()) ++draining;
  }
  for (const auto& process : processes_) {  // the oldest first
    if (draining <= kMostDraining) return;
    if (process->row() != row || !process->is_draining_at_leisure()) continue;
    process->end_expected = true;
    drain(*process, true);
    --draining;
  }
}

void Supervisor::retire(Process& process, const std::string& why) {
  if (stopping_ || process.state != ProcessState::running) return;
  const bool has_successor = std::ranges::any_of(
      successor_of_, [&](const auto& entry) { return entry.second == process.instance(); });
  if (has_successor) return;
  record(Decision::renewed, process, "asked for a successor: " + why);
  const auto* successor = start(plan_row(process.row()), process.generation(), in_force());
  if (successor == nullptr) return retire_later(process.instance());
  successor_of_[successor->instance()] = process.instance();
}

/// A successor could not be started, or did not live; the process waits for another.
void Supervisor::retire_later(std::uint32_t instance) {
  after_restart_delay([this, instance] {
    if (auto* process = find(instance)) retire(*process, "its successor did not live");
  });
}

void Supervisor::record(Decision decision, const Process& process, std::string outcome) {
  records_.record({.decision = decision,
                   .facts = {{"compartment", std::string(to_string(process.row()))},
                             {"instance", std::to_string(process.instance())},
                             {"pid", std::to_string(process.pid())}},
                   .outcome = std::move(outcome)});
}

Process* Supervisor::find(std::uint32_t instance) {
  const auto found =
      std::ranges::find_if(processes_, [&](const auto& process) { return process->instance() == instance; });
  return found == processes_.end() ? nullptr : found->get();
}

Process* Supervisor::current(Compartment row) {
  Process* newest = nullptr;
  for (const auto& process : processes_) {
    if (process->row() == row && process->state != ProcessState::draining) newest = process.get();
  }
  return newest;
}

void Supervisor::drain(Process& process, bool urgent) {
  if (process.state == ProcessState::draining && !urgent) return;
  process.state = ProcessState::draining;
  process.send(control::Drain{urgent});
}

/// Of what smtp asks for, master connects only what the configuration names.
void Supervisor::connect_local(Process& asker, const control::AskConnect& ask) {
  if (asker.row() != Compartment::smtp) return;
  const auto& row = plan_row(asker.row());
  const bool named = may_be_connected(row, resources_.settings, ask.path) ||
                     (reload_ && may_be_connected(row, reload_->settings, ask.path));
  if (!named) {
    return asker.send(control::ConnectAnswer{ask.request, "the configuration does not name this socket"});
  }
  auto socket = launcher_.connect_socket(ask.path);
  if (!socket) return asker.send(control::ConnectAnswer{ask.request, socket.error().text});
  asker.send(control::ConnectAnswer{ask.request, {}}, {to_shared(std::move(*socket))});
}

}  // namespace sternpost

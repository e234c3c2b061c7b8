// Reload is renewal: a new generation of slices is checked by everyone before anyone lives by it.
#include <fcntl.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "config/reloadable.h"
#include "runtime/slice_file.h"
#include "service/master/confinement.h"
#include "service/master/plan.h"
#include "service/master/supervisor.h"
#include "service/master/trust_anchor.h"

namespace sternpost {
namespace {

constexpr Seconds kReloadDeadline{60};
constexpr auto kNoDescriptors = "master has no descriptors left: raise its limit (LimitNOFILE, ulimit -n)";

}  // namespace

void Supervisor::reload(std::function<void(std::string refused)> done) {
  if (stopping_ || !was_ready_) return done("the server is starting or stopping");
  if (reload_) return reloads_waiting_.push_back(std::move(done));
  reload_ = std::make_unique<Reload>();
  reload_->done = std::move(done);
  reload_->generation = ++newest_generation_;
  const auto confinement =
      confinement_of(plan_row(Compartment::config), resources_.as_root, resources_.settings.uid_base, Owner{},
                     resources_.settings.weaker_sandbox);
  auto run = ConfigRun::start(
      loop_, counters_, launcher_, resources_.source, confinement, resources_.empty_root.get(),
      [this](Slices slices, const std::vector<std::string>& errors) {
        // Posted: the run that calls is destroyed by what follows.
        auto shared = std::make_shared<Slices>(std::move(slices));
        boost::asio::post(loop_, [this, shared, errors] { reload_configured(std::move(*shared), errors); });
      });
  if (!run) return refuse_reload(run.error().text);
  reload_->run = std::move(*run);
  reload_timer_.expires_after(kReloadDeadline);
  reload_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error && reload_) refuse_reload("a compartment did not answer in time");
  });
}

void Supervisor::reload_configured(Slices slices, const std::vector<std::string>& errors) {
  if (!reload_ || stopping_) return;
  reload_->run.reset();
  if (!errors.empty()) return refuse_reload(fmt::format("{}", fmt::join(errors, "\n")));
  const auto found = slices.find(Compartment::master);
  const auto bytes = found == slices.end()
                         ? Result<std::string>(fail(ErrorClass::peer, "no slice for master"))
                         : read_slice_file(found->second.get());
  if (!bytes) return refuse_reload(bytes.error().text);
  auto settings = decode<config::MasterSlice>(*bytes);
  if (!settings) return refuse_reload("the slice for master is malformed");
  if (const auto can = config::check_reloadable(resources_.settings, *settings); !can)
    return refuse_reload(can.error().text);
  auto listeners = resources_.listeners.reopened(settings->smtp_listen);
  if (!listeners) return refuse_reload(listeners.error().text);
  auto trust_anchor = open_trust_anchor(launcher_, *settings);
  if (!trust_anchor) return refuse_reload(trust_anchor.error().text);
  reload_->settings = std::move(*settings);
  reload_->slices = std::move(slices);
  reload_->listeners = std::move(*listeners);
  reload_->trust_anchor = std::move(*trust_anchor);
  if (!can_tell()) return refuse_reload(kNoDescriptors);
  ask_told_rows(false);
}

/// Sending a slice duplicates it, and a shortage must cost the reload and not a process that serves.
bool Supervisor::can_tell() const {
  std::vector<UniqueFd> copies;
  return std::ranges::all_of(plan(), [&](const Row& row) {
    if (row.on_reload != OnReload::told) return true;
    return static_cast<bool>(
        copies.emplace_back(::fcntl(reload_->slices.at(row.self).get(), F_DUPFD_CLOEXEC, 0)));
  });
}

void Supervisor::ask_told_rows(bool commit) {
  for (const auto& row : plan()) {
    if (row.on_reload != OnReload::told) continue;
    auto* process = current(row.self);
    if (process == nullptr) {
      if (!commit) return refuse_reload(std::string(to_string(row.self)) + " is not running");
      continue;  // it is being started, with the new slices
    }
    if (!commit) reload_->unanswered[row.self] = process->instance();
    process->send_copies(control::NewSlice{reload_->generation, commit},
                         {reload_->slices.at(row.self).get()});
    if (commit) process->set_generation(reload_->generation);
  }
}

void Supervisor::on_slice_answer(Process& process, const control::SliceAnswer& answer) {
  if (!reload_ || answer.generation != reload_->generation || !reload_->unanswered.contains(process.row()))
    return;
  if (!answer.refused.empty()) {
    return refuse_reload(std::string(to_string(process.row())) + ": " + answer.refused);
  }
  reload_->unanswered.erase(process.row());
  if (reload_->unanswered.empty()) start_successors(false);
}

void Supervisor::start_successors(bool last) {
  reload_->starting_successors = true;
  reload_->starting_last = last;
  const Provisions provisions{reload_->slices, reload_->settings, reload_->listeners, reload_->trust_anchor};
  for (const auto& row : plan()) {
    if (row.on_reload != OnReload::renewed || row.renewed_last != last) continue;
    for (std::uint32_t i = 0; i < workers(row, reload_->settings); ++i) {
      const auto* process = start(row, reload_->generation, provisions);
      if (process == nullptr) return refuse_reload("a new process could not be started");
      reload_->successors.push_back(process->instance());
    }
  }
}

void Supervisor::finish_reload() {
  if (!can_tell()) return refuse_reload(kNoDescriptors);
  ask_told_rows(true);
  for (const auto& process : processes_) {
    const auto& row = plan_row(process->row());
    if (row.on_reload == OnReload::renewed && process->generation() < reload_->generation)
      drain(*process, false);
  }
  for (const auto& row : plan()) bound_draining(row.self);
  generation_ = reload_->generation;
  resources_.slices = std::move(reload_->slices);
  resources_.settings = std::move(reload_->settings);
  resources_.listeners = std::move(reload_->listeners);
  resources_.trust_anchor = std::move(reload_->trust_anchor);
  quick_ends_.clear();
  records_.record({.decision = Decision::configured,
                   .facts = {{"generation", std::to_string(generation_)}},
                   .outcome = "the new configuration is in force"});
  end_reload("");
}

/// One that is ready may have sessions and jobs in hand.
void Supervisor::abandon(Process& successor) {
  successor.state == ProcessState::starting ? successor.end_now() : drain(successor, false);
}

void Supervisor::refuse_reload(const std::string& why) {
  if (!reload_) return;
  for (const auto& process : processes_) {
    if (process->generation() == reload_->generation &&
        plan_row(process->row()).on_reload == OnReload::renewed) {
      abandon(*process);
    }
  }
  for (const auto& row : plan()) bound_draining(row.self);
  records_.record({.decision = Decision::configured,
                   .outcome = "the new configuration is refused, the old one stays in force: " + why});
  end_reload(why);
}

void Supervisor::end_reload(const std::string& refused) {
  reload_timer_.cancel();
  const auto ended = std::exchange(reload_, {});
  ended->done(refused);
  if (reloads_waiting_.empty() || stopping_) return;
  // Whoever asked meanwhile is content with one reading that began after the asking.
  reload([waiting = std::exchange(reloads_waiting_, {})](const std::string& answer) {
    for (const auto& done : waiting) done(answer);
  });
}

}  // namespace sternpost

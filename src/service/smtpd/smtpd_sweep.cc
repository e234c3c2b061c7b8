// Deadlines: one timer for the whole process, which runs only while there is something to wait for.
#include <chrono>

#include "service/smtpd/smtpd_service.h"

namespace sternpost::smtpd {
namespace {

using namespace std::chrono_literals;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr auto kSweepInterval = 1s;
constexpr auto kLinger = 2s;
constexpr auto kWaitForId = 15s;

}  // namespace

void SmtpdService::start_sweeping() {
  if (std::exchange(sweeping_, true)) return;
  sweep_timer_.expires_after(kSweepInterval);
  sweep_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    sweeping_ = false;
    sweep();
  });
}

void SmtpdService::sweep() {
  const auto now = steady_clock::now();
  router_.sweep(now);
  spool_.sweep(now);
  sweep_waiting_for_ids(now);
  std::vector<std::shared_ptr<Session>> running;
  running.reserve(sessions_.size());
  for (const auto& [number, session] : sessions_) running.push_back(session);
  for (const auto& session : running) {
    if (!session->finished()) sweep_session(*session, now);
  }
  if (!sessions_.empty() || spool_.outstanding() > 0) start_sweeping();
}

void SmtpdService::sweep_session(Session& session, SteadyTime now) {
  auto& engine = session.engine();
  const auto idle = now - session.last_activity();
  if (session.lingering()) {
    if (idle >= kLinger) session.finish();
    return;
  }
  // Answers that others owe have deadlines of their own.
  if (engine.awaits_answer()) return;

  const auto age = now - session.started();
  const seconds patience(engine.in_content() ? slice_.data_seconds : slice_.command_seconds);
  const bool too_idle = idle >= patience && !session.waits_for_room();
  // A session at its end may finish its message, but not by trickling.
  const bool too_old = age >= seconds(slice_.session_seconds) + seconds(slice_.data_seconds);
  if (session.stalled()) {
    if (too_idle || too_old) session.finish();
  } else if (too_idle || too_old) {
    engine.time_out();
    session.pump();
  } else if (age >= seconds(slice_.session_seconds)) {
    engine.shut_down({421, {4, 4, 2}, "The session took too long"}, slice_.rules.session_timeout);
    session.pump();
  }
}

void SmtpdService::sweep_waiting_for_ids(SteadyTime now) {
  while (!waiting_for_ids_.empty() && now - waiting_for_ids_.front().since >= kWaitForId) {
    const auto session = find(waiting_for_ids_.front().session);
    waiting_for_ids_.pop_front();
    if (!session) continue;
    session->engine().refuse_id({451, {4, 3, 0}, "The queue is not available now"}, {"spool is away", {}, 0});
    session->pump();
  }
}

}  // namespace sternpost::smtpd

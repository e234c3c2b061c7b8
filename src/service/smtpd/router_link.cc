#include "service/smtpd/router_link.h"

#include <chrono>
#include <utility>
#include <vector>

namespace sternpost::smtpd {
namespace {

using namespace std::chrono_literals;

constexpr auto kWaitForRouter = 10s;
constexpr auto kWaitForVerdict = 30s;

}  // namespace

RouterLink::RouterLink(boost::asio::io_context& loop, TrafficCounters& counters, Handlers handlers)
    : handlers_(std::move(handlers)),
      lines_(loop, counters, router::kMaxFrame,
             {[this](std::uint32_t, router::ToIntake&& frame) {
                return on_verdict(std::get<router::Verdict>(std::move(frame)));
              },
              [this](std::uint32_t epoch, const Error& why) { on_closed(epoch, why); }}) {}

void RouterLink::connect(UniqueFd socket) {
  lines_.connect(std::move(socket));
  ask_again();
}

void RouterLink::ask(Question question, SteadyTime now) {
  question.verify.request = ++last_request_;
  const auto epoch = lines_.current();
  lines_.send(epoch, question.verify);
  outstanding_.emplace(last_request_, Asked{std::move(question), epoch, now});
}

Result<void> RouterLink::on_verdict(router::Verdict&& verdict) {
  const auto node = outstanding_.extract(verdict.request);
  // Answered in our place after its time, or asked on two channels.
  if (node.empty()) return {};
  handlers_.on_answer(node.mapped().question, verdict.reply, verdict.rule);
  return {};
}

void RouterLink::on_closed(std::uint32_t epoch, const Error& why) {
  handlers_.on_closed(why, lines_.current() == 0);
  for (auto& [request, asked] : outstanding_) {
    if (asked.epoch == epoch) asked.epoch = 0;
  }
  ask_again();
}

void RouterLink::ask_again() {
  const auto epoch = lines_.current();
  if (epoch == 0) return;
  for (auto& [request, asked] : outstanding_) {
    if (asked.epoch != 0) continue;
    asked.epoch = epoch;
    lines_.send(epoch, asked.question.verify);
  }
}

void RouterLink::sweep(SteadyTime now) {
  std::vector<Question> late;
  std::erase_if(outstanding_, [&](auto& entry) {
    auto& asked = entry.second;
    const bool too_late = now - asked.since >= (asked.epoch == 0 ? kWaitForRouter : kWaitForVerdict);
    if (too_late) late.push_back(std::move(asked.question));
    return too_late;
  });
  for (const auto& question : late) {
    handlers_.on_answer(question, {451, {4, 3, 0}, "Cannot verify this recipient now"},
                        {"router is away", {}, 0});
  }
}

}  // namespace sternpost::smtpd

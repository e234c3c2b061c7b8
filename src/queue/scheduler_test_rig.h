// The scheduler on virtual time; the test plays spool, router and the agents.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "queue/scheduler.h"

namespace sternpost::queue {
inline constexpr WallTime kStart{1'700'000'000'000'000};

class SchedulerTest : public testing::Test {
 protected:
  static Settings settings() {
    Settings s;
    s.max_active_messages = 100;
    s.site_concurrency = {4, 4};
    s.retry_min = Seconds(60);
    s.retry_max = Seconds(3600);
    s.expire = Seconds(7200);
    return s;
  }

  void SetUp() override {
    scheduler.spool_connected();
    scheduler.router_connected();
  }

  static mail::Mailbox address(std::uint32_t index) {
    return *mail::Mailbox::from_wire("user" + std::to_string(index) + "@example.org");
  }

  static Message message(std::uint64_t id, std::uint32_t recipients = 1) {
    Message m{.id = QueueId{id}, .arrival = kStart, .held = false, .recipients = {}};
    for (std::uint32_t i = 0; i < recipients; ++i) {
      m.recipients.push_back(
          {.index = i, .address = address(i), .attempts = 0, .last_attempt = {}, .in_hand = false});
    }
    return m;
  }

  Actions give(std::vector<Message> messages) {
    if (!pull_seen) (void)take();
    EXPECT_TRUE(scheduler.pulled(std::move(messages), 1, now));
    pull_seen = false;
    return take();
  }

  /// Spool answers look-ups at once, where it is not said to be slow.
  Actions take() {
    auto actions = scheduler.take(now);
    for (const auto& question : actions.questions) generation = question.generation;
    if (actions.pull) pull_seen = true;
    if (slow_spool || actions.lookups.empty()) return actions;
    for (const auto id : actions.lookups) {
      scheduler.addressed(id, {{0, address(0)}, {1, address(1)}, {2, address(2)}}, now);
    }
    auto then = scheduler.take(now);
    for (const auto& question : then.questions) generation = question.generation;
    actions.questions.insert(actions.questions.end(), then.questions.begin(), then.questions.end());
    actions.orders.insert(actions.orders.end(), then.orders.begin(), then.orders.end());
    actions.wake = then.wake;
    return actions;
  }

  void route(std::uint64_t id, std::uint32_t recipients, const std::string& site = "virtual") {
    std::vector<RouteAnswer> answers;
    for (std::uint32_t i = 0; i < recipients; ++i) {
      answers.push_back({i, {250, {2, 1, 5}, "ok"}, Agent::virtual_mailbox, site, {"rule", "", 0}});
    }
    scheduler.routed(QueueId{id}, generation, std::move(answers), now);
  }

  void record(std::uint64_t id, std::uint32_t index, mail::Disposition disposition,
              const mail::Reply& reply = {250, {2, 0, 0}, "ok"}) {
    const mail::RecipientOutcome outcome{index, disposition, reply, now};
    scheduler.recorded(QueueId{id}, std::span(&outcome, 1), now);
  }

  /// A job that reached nobody.
  static mail::Reply no_connection() { return {451, {4, 4, 1}, "no connection"}; }

  /// The job of message 1 reaches nobody at the site "far".
  void far_goes_down() {
    (void)give({message(1)});
    route(1, 1, "far");
    (void)take();
    record(1, 0, mail::Disposition::deferred, no_connection());
  }

  Scheduler scheduler{settings()};
  WallTime now = kStart;
  std::uint32_t generation = 0;  ///< of the last question
  bool pull_seen = false;
  bool slow_spool = false;
};

}  // namespace sternpost::queue

#include "service/qmgr/convert.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "queue/retry.h"
#include "runtime/channel/channel.h"

namespace sternpost::qmgr {
namespace {

spool_qmgr::Agent to_wire(queue::Agent agent) {
  switch (agent) {
    case queue::Agent::smtp:
      return spool_qmgr::Agent::smtp;
    case queue::Agent::virtual_mailbox:
      break;
  }
  return spool_qmgr::Agent::virtual_mailbox;
}

queue::Agent from_wire(spool_qmgr::Agent agent) {
  switch (agent) {
    case spool_qmgr::Agent::smtp:
      return queue::Agent::smtp;
    case spool_qmgr::Agent::virtual_mailbox:
      break;
  }
  return queue::Agent::virtual_mailbox;
}

std::string name_of(queue::Agent agent) {
  switch (agent) {
    case queue::Agent::smtp:
      return "smtp";
    case queue::Agent::virtual_mailbox:
      break;
  }
  return "virtual";
}

std::string list_of(const std::vector<std::uint32_t>& indexes) {
  std::string text;
  for (const auto index : indexes) {
    if (!text.empty()) text += ' ';
    text += std::to_string(index);
  }
  return text;
}

}  // namespace

queue::Settings to_settings(const config::QmgrSlice& slice) {
  return {.max_active_messages = slice.max_active_messages,
          .site_concurrency = {slice.site_concurrency, slice.smtp_site_concurrency},
          .retry_min = Seconds(slice.retry_min_seconds),
          .retry_max = Seconds(slice.retry_max_seconds),
          .expire = Seconds(slice.expire_seconds),
          .expire_rule = slice.expire_rule,
          .warn = Seconds(slice.warn_seconds),
          .pressure = {.max_backlog = slice.max_backlog,
                       .max_lag = Seconds(slice.max_lag_seconds),
                       .max_memory_bytes = slice.max_memory_bytes}};
}

std::vector<queue::Message> to_messages(std::vector<spool_qmgr::PulledMessage>&& pulled) {
  std::vector<queue::Message> messages;
  messages.reserve(pulled.size());
  for (auto& from : pulled) {
    auto& message = messages.emplace_back();
    message.id = from.id;
    message.arrival = from.arrival;
    message.held = from.held;
    message.recipients.reserve(from.recipients.size());
    for (auto& open : from.recipients) {
      message.recipients.push_back(
          {open.index, std::move(open.address), open.attempts, open.last_attempt, open.in_hand});
    }
    message.owing = std::move(from.owing);
    message.warned = from.warned;
  }
  return messages;
}

std::vector<queue::AddressedRecipient> to_addresses(std::vector<spool_qmgr::Addressed>&& addressed) {
  std::vector<queue::AddressedRecipient> addresses;
  addresses.reserve(addressed.size());
  for (auto& from : addressed) addresses.push_back({from.index, std::move(from.address)});
  return addresses;
}

std::vector<queue::RouteAnswer> to_answers(std::vector<router::RoutedRecipient>&& routed) {
  std::vector<queue::RouteAnswer> answers;
  answers.reserve(routed.size());
  for (auto& from : routed) {
    answers.push_back({from.index, std::move(from.reply), from_wire(from.agent), std::move(from.site),
                       std::move(from.rule)});
  }
  return answers;
}

std::vector<spool_qmgr::Orders> to_orders(std::vector<queue::Order>&& orders) {
  std::vector<spool_qmgr::Orders> frames;
  std::size_t bytes = kOrdersBytes;  // the first order opens the first frame
  for (auto& order : orders) {
    const auto size = sizeof(order) + order.site.size() + order.recipients.size() * sizeof(std::uint32_t);
    if (bytes + size > kOrdersBytes) {
      frames.emplace_back();
      bytes = 0;
    }
    bytes += size;
    frames.back().orders.push_back(
        {order.id, to_wire(order.agent), std::move(order.recipients), std::move(order.site)});
  }
  return frames;
}

std::vector<spool_qmgr::GetAddresses> to_lookups(std::span<const QueueId> ids) {
  std::vector<spool_qmgr::GetAddresses> frames;
  for (; !ids.empty(); ids = ids.subspan(frames.back().ids.size())) {
    const auto some = ids.first(std::min<std::size_t>(ids.size(), spool_qmgr::kMaxBatch));
    frames.push_back({{some.begin(), some.end()}});
  }
  return frames;
}

spool_qmgr::Tell to_tell(queue::Tell&& tell) {
  return {tell.id, tell.delayed, std::move(tell.recipients), tell.until};
}

std::vector<spool_qmgr::Decided> to_decided(queue::Decided&& decided) {
  std::vector<spool_qmgr::Decided> frames;
  for (std::size_t from = 0; from < decided.recipients.size(); from += kMaxDecided) {
    const auto count = std::min(kMaxDecided, decided.recipients.size() - from);
    const auto begin = decided.recipients.begin() + static_cast<std::ptrdiff_t>(from);
    frames.push_back({decided.id,
                      {std::make_move_iterator(begin),
                       std::make_move_iterator(begin + static_cast<std::ptrdiff_t>(count))}});
  }
  return frames;
}

router::Route to_question(queue::RouteQuestion&& question) {
  router::Route frame{question.id, {}, question.generation};
  frame.recipients.reserve(question.recipients.size());
  for (auto& recipient : question.recipients) {
    frame.recipients.push_back({recipient.index, std::move(recipient.address)});
  }
  return frame;
}

Counts to_counts(const queue::Counts& counts, std::uint64_t request) {
  return {.request = request,
          .routing = counts.routing,
          .ready = counts.ready,
          .active = counts.active,
          .deferred = counts.deferred,
          .held = counts.held,
          .owing = counts.owing};
}

Record to_record(const queue::Pressure& pressure) {
  Record record;
  record.decision = Decision::pressure;
  record.facts = {{"level", std::string(to_string(pressure.level))}};
  record.outcome = pressure.cause.empty() ? "the queue keeps up again" : pressure.cause;
  return record;
}

Record to_record(queue::Notice&& notice) {
  Record record;
  std::visit(Overloaded{[&](queue::RoutedNotice& routed) {
                          record.decision = Decision::routed;
                          record.id = routed.id;
                          record.recipient = routed.recipient.to_wire();
                          record.rule = std::move(routed.answer.rule);
                          if (routed.answer.reply.positive()) {
                            record.facts = {{"agent", name_of(routed.answer.agent)},
                                            {"site", std::move(routed.answer.site)}};
                          }
                          record.outcome = to_string(routed.answer.reply);
                        },
                        [&](queue::DeferredNotice& deferred) {
                          record.decision = Decision::deferred;
                          record.id = deferred.id;
                          record.rule.name = "retry schedule";
                          record.facts = {{"recipients", list_of(deferred.recipients)}};
                          record.outcome = to_string(deferred.reply);
                          record.next = deferred.next;
                        },
                        [&](queue::SiteDownNotice& down) {
                          record.decision = Decision::throttled;
                          record.rule.name = "site is down";
                          record.facts = {{"site", std::move(down.site)}};
                          record.outcome = to_string(down.reply);
                          record.next = down.next;
                        },
                        [&](queue::SiteUpNotice& up) {
                          record.decision = Decision::throttled;
                          record.rule.name = "site is up";
                          record.facts = {{"site", std::move(up.site)}};
                          record.outcome = "it takes mail again";
                        },
                        [&](queue::FailedNotice& failed) {
                          record.decision = Decision::failed;
                          record.id = failed.id;
                          record.rule = std::move(failed.rule);
                          record.facts = {{"recipients", list_of(failed.recipients)}};
                          record.outcome = to_string(failed.reply);
                        }},
             notice);
  return record;
}

}  // namespace sternpost::qmgr

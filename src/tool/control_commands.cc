#include "tool/control_commands.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/printable.h"
#include "runtime/json_text.h"
#include "tool/configuration.h"
#include "tool/control_client.h"

namespace sternpost::tool {
namespace {

constexpr int kStopPatienceMs = 120'000;

/// Holds on to master's process before it is told to stop, so that another one with its number is never
/// meant.
UniqueFd hold_master(ControlClient& client) {
  const auto reply = client.ask<admin::StatusReply>(admin::Status{});
  if (!reply) return {};
  const auto master = std::ranges::find(reply->processes, Compartment::master, &control::ProcessStatus::row);
  if (master == reply->processes.end()) return {};
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, master->pid, 0U)));
}

Outcome<void> run(ControlClient& client, admin::Command command) {
  const auto done = client.ask<admin::Done>(admin::Run{command});
  if (!done) return std::unexpected(done.error());
  if (!done->refused.empty()) return failure(ExitStatus::failed, done->refused);
  return {};
}

std::string queue_text(const admin::StatusReply& reply) {
  auto out = reply.messages ? fmt::format("queue: {} messages\n", *reply.messages)
                            : std::string("queue: not known: spool does not answer\n");
  if (!reply.queue) return out + "in memory: not known: qmgr does not answer\n";
  const auto& queue = *reply.queue;
  return out +
         fmt::format("in memory: {} being routed, {} ready, {} active, {} deferred, {} held, {} owing\n",
                     queue.routing, queue.ready, queue.active, queue.deferred, queue.held, queue.owing);
}

/// What nobody answered is null.
void append_queue_json(JsonWriter& writer, const admin::StatusReply& reply) {
  writer.key("messages");
  reply.messages ? writer.value(*reply.messages) : writer.json("null");
  writer.key("queue");
  if (!reply.queue) {
    writer.json("null");
    return;
  }
  writer.begin_object().member("routing", reply.queue->routing).member("ready", reply.queue->ready);
  writer.member("active", reply.queue->active).member("deferred", reply.queue->deferred);
  writer.member("held", reply.queue->held).member("owing", reply.queue->owing).end_object();
}

}  // namespace

Outcome<void> stop(const Options& options) {
  auto client = connect_to_instance(options);
  if (!client) return std::unexpected(std::move(client.error()));
  const auto master = hold_master(*client);
  if (auto done = run(*client, admin::Command::stop); !done) return done;
  if (!master) {
    client->wait_for_end();
    return {};
  }
  pollfd ended{.fd = master.get(), .events = POLLIN, .revents = 0};
  if (::poll(&ended, 1, kStopPatienceMs) != 1)
    return failure(ExitStatus::failed, "the instance is still stopping");
  return {};
}

Outcome<void> reload(const Options& options) {
  auto client = connect_to_instance(options);
  if (!client) return std::unexpected(std::move(client.error()));
  return run(*client, admin::Command::reload);
}

Outcome<void> status(const Options& options, bool counters) {
  auto client = connect_to_instance(options);
  if (!client) return std::unexpected(std::move(client.error()));
  const auto reply = client->ask<admin::StatusReply>(admin::Status{});
  if (!reply) return std::unexpected(reply.error());
  fmt::print("{}", options.json ? status_json(*reply) : status_text(*reply, counters));
  return {};
}

Outcome<void> show_plan(const Options& options) {
  auto client = connect_to_instance(options);
  if (!client) {
    if (client.error().status != ExitStatus::not_running) return std::unexpected(std::move(client.error()));
    fmt::print("{}", plan_text(options.json, nullptr));
    return {};
  }
  const auto reply = client->ask<admin::StatusReply>(admin::Status{});
  if (!reply) return std::unexpected(reply.error());
  const auto layers = running_layers(*reply);
  fmt::print("{}", plan_text(options.json, &layers));
  return {};
}

RunningLayers running_layers(const admin::StatusReply& reply) {
  RunningLayers layers;
  for (const auto& process : reply.processes) {
    if (process.state != "starting") layers.try_emplace(process.row, process.layers);
  }
  return layers;
}

std::string status_text(const admin::StatusReply& reply, bool counters) {
  auto out = fmt::format("{:<10} {:>8} {:>8}  {:<10} {:<28} {:>10} {:>8}\n", "PROGRAM", "INSTANCE", "PID",
                         "STATE", "SINCE", "GENERATION", "RESTARTS");
  for (const auto& process : reply.processes) {
    out += fmt::format("{:<10} {:>8} {:>8}  {:<10} {:<28} {:>10} {:>8}\n", to_string(process.row),
                       process.instance, process.pid, printable(process.state), to_rfc3339(process.since),
                       process.generation, process.restarts);
    if (!counters) continue;
    for (const auto& counter : process.counters) {
      out += fmt::format("{:>20}  {}\n", counter.value, printable(counter.name));
    }
  }
  if (reply.left_out > 0) out += fmt::format("… and {} processes more\n", reply.left_out);
  return out + queue_text(reply);
}

std::string status_json(const admin::StatusReply& reply) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().key("processes").begin_array();
  for (const auto& process : reply.processes) {
    writer.begin_object().member("program", to_string(process.row)).member("instance", process.instance);
    writer.member("pid", static_cast<std::uint32_t>(process.pid)).member("state", process.state);
    writer.member("since", to_rfc3339(process.since)).member("generation", process.generation);
    writer.member("restarts", process.restarts).key("counters").begin_object();
    for (const auto& counter : process.counters) writer.member(counter.name, counter.value);
    writer.end_object().end_object();
  }
  writer.end_array().member("processes_left_out", reply.left_out);
  append_queue_json(writer, reply);
  writer.end_object();
  return out + "\n";
}

}  // namespace sternpost::tool

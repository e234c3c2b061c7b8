// How many messages a second one store makes durable, for bench/engine.
//
// Opens the store once and then does the runs that it is told of, a line each: "at-once" or "threads", how
// many producers, for how many seconds. Answers each with a line of JSON.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <map>
#include <string>

#include "load.h"

namespace sternpost::bench {
namespace {

const std::map<std::string, std::unique_ptr<Store> (*)(const Site&)> kStores = {
    {"engine", make_engine_store},
    {"engine-direct", make_direct_engine_store},
    {"engine-moving", make_moving_store},
    {"engine-resting", make_resting_store},
    {"engine-thread", make_threaded_engine_store},
    {"engine-direct-thread", make_threaded_direct_engine_store},
    {"files", make_file_store},
    {"raw", make_raw_store},
    {"rocksdb", make_rocksdb_store},
    {"sqlite", make_sqlite_store}};

double percentile(const std::vector<double>& ordered, double part) {
  if (ordered.empty()) return 0;
  return ordered[static_cast<std::size_t>(part * static_cast<double>(ordered.size() - 1))];
}

void report(const Measured& measured, std::uint64_t bytes_written) {
  const auto messages = static_cast<double>(measured.messages);
  fmt::print(
      "{{\"messages\": {}, \"rate\": {:.1f}, \"cpu_us\": {:.3f}, \"p50_us\": {:.1f}, \"p99_us\": {:.1f}, "
      "\"max_us\": {:.1f}, \"written_kib\": {:.2f}}}\n",
      measured.messages, messages / measured.seconds, measured.cpu_seconds / messages * 1e6,
      percentile(measured.microseconds, 0.5), percentile(measured.microseconds, 0.99),
      percentile(measured.microseconds, 1), static_cast<double>(bytes_written) / 1024 / messages);
  std::fflush(stdout);
}

void serve(Store& store, std::uint64_t room) {
  std::string mode;
  Plan plan{.room = room};
  while (std::cin >> mode >> plan.producers >> plan.seconds) {
    const auto before = store.bytes_written();
    const auto measured = mode == "threads" ? run_threads(store, plan) : run_at_once(store, plan);
    report(measured, store.bytes_written() - before);
    store.clear();
    fmt::print("ready\n");
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace sternpost::bench

int main(int argc, char** argv) {
  using namespace sternpost::bench;
  CLI::App app("Commits messages to a store");
  std::string name;
  Site site;
  app.add_option("--store", name)->required()->check(CLI::IsMember(kStores));
  app.add_option("--folder", site.folder, "an empty folder of a real disk")->required();
  app.add_option("--room", site.room, "messages that a run has at most")->required();
  CLI11_PARSE(app, argc, argv);
  serve(*kStores.at(name)(site), site.room);
}

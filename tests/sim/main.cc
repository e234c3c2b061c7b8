// sim --seed N | --seeds A..B: lets the spool live through simulated disasters, one life for each seed.
//
// With --lie the disk breaks a promise on which the spool relies. With --until-violation the first life in
// which a promise of the spool is broken is the last one, and exit status 0 means that there was one: for
// tests of the simulation itself.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <optional>
#include <utility>

#include "workload.h"

namespace sternpost::sim {
namespace {

struct Request {
  std::string program;  ///< as it was called, so that what is printed can be typed
  std::uint64_t first = 1;
  std::uint64_t last = 500;
  std::string lie;
  bool until_violation = false;
};

bool parse_range(const std::string& text, Request& request) {
  const auto dots = text.find("..");
  if (dots == std::string::npos) return false;
  return CLI::detail::lexical_cast(text.substr(0, dots), request.first) &&
         CLI::detail::lexical_cast(text.substr(dots + 2), request.last) && request.first <= request.last;
}

int run(const Request& request) {
  const Lies lies{request.lie == "sync", request.lie == "header-sync", request.lie == "directory-sync"};
  LifeStory sum;
  std::uint64_t failing = 0;
  std::uint64_t seeds = 0;
  for (auto seed = request.first; seed <= request.last; ++seed) {
    if (request.until_violation && failing > 0) break;
    ++seeds;
    const auto story = live(seed, lies);
    if (!story.violation.empty()) {
      ++failing;
      fmt::print("seed {}: {}\n  replay with: {} --seed {}{}\n", seed, story.violation, request.program, seed,
                 request.lie.empty() ? "" : " --lie " + request.lie);
    }
    for (const auto& counter : LifeStory::counters()) sum.*counter.value += story.*counter.value;
  }
  fmt::print("{} seeds, {} failing", seeds, failing);
  std::optional<LifeStory::Kind> kind;
  for (const auto& counter : LifeStory::counters()) {
    const bool first = std::exchange(kind, counter.kind) != counter.kind;
    if (first) fmt::print("; {}: ", LifeStory::kKinds.at(static_cast<std::size_t>(counter.kind)));
    fmt::print("{}{} {}", first ? "" : ", ", sum.*counter.value, counter.name);
  }
  fmt::print("\n");
  return (failing > 0) == request.until_violation ? 0 : 1;
}

}  // namespace
}  // namespace sternpost::sim

int main(int argc, char** argv) {
  CLI::App app("Crash simulation of the spool");
  sternpost::sim::Request request;
  request.program = argv[0];
  std::uint64_t seed = 0;
  std::string range;
  auto* one = app.add_option("--seed", seed, "live through one seed");
  app.add_option("--seeds", range, "live through a range, as in 1..500")->excludes(one);
  app.add_option("--lie", request.lie, "let the disk lie, to test the test")
      ->check(CLI::IsMember({"sync", "header-sync", "directory-sync"}));
  app.add_flag("--until-violation", request.until_violation, "expect a violation, and stop at the first");
  CLI11_PARSE(app, argc, argv);
  if (*one) request.first = request.last = seed;
  if (!range.empty() && !sternpost::sim::parse_range(range, request)) {
    fmt::print(stderr, "--seeds wants a range, as in 1..500\n");
    return 2;
  }
  return sternpost::sim::run(request);
}

// sternpost's first process: prepares an instance, confines itself, and supervises the compartments.
//
// Usage: master CONFIGURATION [STATE]   (`sternpost start` calls it; both paths absolute)
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "runtime/slice_file.h"
#include "service/master/confinement.h"
#include "service/master/plan.h"
#include "service/master/supervisor.h"
#include "service/master/trust_anchor.h"

namespace sternpost {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

int complain(std::string_view what, int status) {
  fmt::print(stderr, "sternpost: {}\n", what);
  return status;
}

/// What the first reading of the configuration brought.
struct FirstReading {
  Slices slices;
  std::vector<std::string> errors;
};

Result<FirstReading> read_configuration(boost::asio::io_context& loop, TrafficCounters& counters,
                                        const Launcher& launcher, const ConfigSource& source, bool as_root,
                                        int empty_root) {
  FirstReading reading;
  // Whether a kernel that lacks a layer is good enough is what this one is to find out.
  constexpr bool kWeaker = true;
  const auto confinement =
      confinement_of(plan_row(Compartment::config), as_root, kDefaultUidBase, Owner{}, kWeaker);
  const auto run = ConfigRun::start(loop, counters, launcher, source, confinement, empty_root,
                                    [&](Slices slices, std::vector<std::string> errors) {
                                      reading = {std::move(slices), std::move(errors)};
                                      loop.stop();
                                    });
  if (!run) return std::unexpected(run.error());
  loop.run();
  loop.restart();
  return reading;
}

Result<InstanceResources> prepare(const Launcher& launcher, FirstReading reading, ConfigSource source,
                                  UniqueFd empty_root, bool as_root) {
  InstanceResources resources;
  const auto bytes = read_slice_file(reading.slices[Compartment::master].get());
  if (!bytes) return std::unexpected(bytes.error());
  auto settings = decode<config::MasterSlice>(*bytes);
  if (!settings) return fail(ErrorClass::internal, "the slice for master is malformed");
  auto folders = InstanceFolders::open(*settings, as_root);
  if (!folders) return fail_with(std::move(folders));
  auto listeners = SmtpListeners{}.reopened(settings->smtp_listen);
  if (!listeners) return fail_with(std::move(listeners));
  auto trust_anchor = open_trust_anchor(launcher, *settings);
  if (!trust_anchor) return fail_with(std::move(trust_anchor));
  const auto admin = as_root ? owner_of(plan_row(Compartment::admin), settings->uid_base, Owner{}) : Owner{};
  auto control = open_control_socket(settings->state_directory + "/run", settings->control_group, admin);
  if (!control) return fail_with(std::move(control));
  resources.source = std::move(source);
  resources.settings = std::move(*settings);
  resources.slices = std::move(reading.slices);
  resources.folders = std::move(*folders);
  resources.listeners = std::move(*listeners);
  resources.trust_anchor = std::move(*trust_anchor);
  resources.control_socket = std::move(*control);
  resources.empty_root = std::move(empty_root);
  resources.as_root = as_root;
  return resources;
}

void watch_signals(boost::asio::signal_set& signals, Supervisor& supervisor) {
  signals.async_wait([&signals, &supervisor](const boost::system::error_code& error, int signal) {
    if (error) return;
    if (signal == SIGHUP) {
      supervisor.reload([](const std::string& refused) {
        if (!refused.empty()) complain("reload refused, the old configuration stays in force: " + refused, 0);
      });
    } else {
      supervisor.stop();
    }
    watch_signals(signals, supervisor);
  });
}

int supervise(boost::asio::io_context& loop, TrafficCounters& counters, const Launcher& launcher,
              InstanceResources resources) {
  const auto announcement = fmt::format("sternpost: ready on {} with state in {}", resources.listeners.text(),
                                        resources.settings.state_directory);
  int status = 0;
  boost::asio::signal_set signals(loop, SIGTERM, SIGINT, SIGHUP);
  Supervisor supervisor(loop, counters, launcher, std::move(resources),
                        {[&] {
                           fmt::print("{}\n", announcement);
                           std::fflush(stdout);
                         },
                         [&](const std::string& failure) {
                           if (!failure.empty()) status = complain(failure, kExitFailed);
                           loop.stop();
                         }});
  watch_signals(signals, supervisor);
  supervisor.begin();
  loop.run();
  return status;
}

/// Some start us without them: what is opened next must not take their place. Compartments write to the error
/// output on their own, so that in a file each line goes to its end.
bool settle_standard_streams() {
  int fd = 0;
  do {
    fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd < 0) return false;
  ::close(fd);
  for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
    struct stat status{};
    if (::fstat(stream, &status) == 0 && S_ISREG(status.st_mode)) {
      ::fcntl(stream, F_SETFL, ::fcntl(stream, F_GETFL) | O_APPEND);
    }
  }
  return true;
}

/// Each process has a control channel, and a start makes a channel to each of its peers.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, plan_row(Compartment::master).max_descriptors);
  (void)::setrlimit(RLIMIT_NOFILE, &limit);  // with what there was, a smaller instance runs
}

int run_master(const std::string& programs, ConfigSource source) {
  std::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  boost::asio::io_context loop(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO);
  TrafficCounters counters;
  const bool as_root = ::geteuid() == 0;
  auto launcher = Launcher::make(programs);
  if (!launcher) return complain(launcher.error().text, kExitFailed);
  auto empty_root = open_nameless_directory();
  if (!empty_root) return complain(empty_root.error().text, kExitFailed);

  auto reading = read_configuration(loop, counters, *launcher, source, as_root, empty_root->get());
  if (!reading) return complain(reading.error().text, kExitUsage);
  for (const auto& line : reading->errors) complain(line, kExitUsage);
  if (!reading->errors.empty()) return kExitUsage;

  auto resources =
      prepare(*launcher, std::move(*reading), std::move(source), std::move(*empty_root), as_root);
  if (!resources) return complain(resources.error().text, kExitFailed);
  if (auto done = launcher->confine_master(resources->empty_root.get(), as_root); !done) {
    return complain(done.error().text, kExitFailed);
  }
  return supervise(loop, counters, *launcher, std::move(*resources));
}

}  // namespace
}  // namespace sternpost

int main(int argc, char** argv) {
  using namespace sternpost;
  if (!settle_standard_streams()) return kExitFailed;
  if (argc < 2 || argc > 3 || argv[1][0] != '/' || (argc == 3 && argv[2][0] != '/')) {
    return complain("usage: master CONFIGURATION [STATE]; start the server with: sternpost start",
                    kExitUsage);
  }
  const auto self = std::filesystem::read_symlink("/proc/self/exe");
  return run_master(self.parent_path(), {argv[1], argc == 3 ? argv[2] : ""});
}

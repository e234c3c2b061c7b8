// One reading of the configuration: the config compartment is started, answers its slices, and ends.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "service/master/process.h"

namespace sternpost {

/// Where the configuration is and what the command line changes about it.
struct ConfigSource {
  std::string file;             ///< absolute path
  std::string state_directory;  ///< of --state; empty where it was not given
};

/// The slices of one generation, sealed.
using Slices = std::map<Compartment, UniqueFd>;

class ConfigRun {
 public:
  /// Called once, with the slices or with the lines that say what is wrong. May destroy the ConfigRun.
  using Done = std::function<void(Slices slices, std::vector<std::string> errors)>;

  /// Starts the compartment, confined so.
  static Result<std::unique_ptr<ConfigRun>> start(boost::asio::io_context& loop, TrafficCounters& counters,
                                                  const Launcher& launcher, const ConfigSource& source,
                                                  const Confinement& confinement, int empty_root, Done done);

 private:
  explicit ConfigRun(Done done) : done_(std::move(done)) {}

  void on_frame(control::FromService&& frame, std::vector<UniqueFd>& descriptors);
  void on_end(const std::string& how);

  Done done_;
  Slices slices_;
  std::vector<std::string> errors_;
  bool finished_ = false;
  std::unique_ptr<Process> process_;
};

}  // namespace sternpost

// The command line of `sternpost`: which commands there are, and what each of them does.
#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tool/failure.h"
#include "tool/options.h"
#include "tool/spool_commands.h"
#include "tool/spool_folders.h"

namespace sternpost::tool {

/// What a command line was parsed into. The parser writes into it, so it must stay where it is.
struct Invocation {
  Options options;
  bool foreground = false;
  bool counters = false;
  std::string argument;
  std::vector<std::string> ids;
  bool held = false;  ///< of queue release: all that are held, instead of ids
  bool all = false;   ///< of queue flush: all that waits, instead of names
  unsigned most = 0;
  SpoolPlace spool;                        ///< of the commands below `spool`
  std::string folder;                      ///< of spool export and import
  bool remove = false;                     ///< of spool export: what was exported leaves the queue
  RepairOrder repair;                      ///< of spool repair
  std::function<Outcome<void>()> command;  ///< what to run once all is parsed
};

/// The parser, filled for `invocation`.
std::unique_ptr<CLI::App> make_command_line(Invocation& invocation);

}  // namespace sternpost::tool

// What the command line says to every command.
#pragma once

#include <string>

namespace sternpost::tool {

struct Options {
  std::string config = "/etc/sternpost/sternpost.toml";
  std::string state;  ///< of --state; empty where it was not given
  bool json = false;
};

}  // namespace sternpost::tool

// How the program ends, and why it could not do what it was asked.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace sternpost::tool {

/// The exit statuses of `sternpost`, documented in sternpost(8).
enum class ExitStatus : int {
  ok = 0,
  failed = 1,       ///< the request was refused or could not be carried out
  usage = 2,        ///< the command line or the configuration is wrong
  not_running = 3,  ///< no instance runs with this state directory
};

struct Failure {
  ExitStatus status = ExitStatus::failed;
  std::string text;
};

template <class T>
using Outcome = std::expected<T, Failure>;

inline std::unexpected<Failure> failure(ExitStatus status, std::string text) {
  return std::unexpected(Failure{status, std::move(text)});
}

}  // namespace sternpost::tool

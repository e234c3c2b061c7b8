// Starting a compartment's program: fork, then exec with a control channel as descriptor 3 and nothing else.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"
#include "runtime/compartment.h"

namespace sternpost {

struct Launched {
  pid_t pid = -1;
  UniqueFd pid_descriptor;  ///< readable when the process has ended
  UniqueFd control;         ///< master's end
};

/// A pair of connected sockets with buffers fit for channels.
Result<std::pair<UniqueFd, UniqueFd>> make_channel_pair();

/// What compartments have as standard streams: nothing of the terminal that the server was started from but a
/// place for last words.
struct StandardStreams {
  UniqueFd nothing;     ///< /dev/null, for input and output
  UniqueFd complaints;  ///< the error output, for writing only where it can be opened anew
};

class Launcher {
 public:
  /// `programs` is the absolute path of libexec/sternpost. Keeps a descriptor of the root directory, by which
  /// children leave master's own empty root again until they confine themselves.
  static Result<Launcher> make(std::string programs);

  /// Master's own confinement; only launching works afterwards.
  Result<void> confine_master(int empty_root, bool as_root);

  [[nodiscard]] Result<Launched> launch(Compartment row) const;

  /// Connects to a Unix-domain socket by its absolute path in the real root. Does not wait: one whose queue
  /// of connections is full refuses.
  [[nodiscard]] Result<UniqueFd> connect_socket(const std::string& path) const;

  /// Opens a regular file by its absolute path in the real root: the configuration and what it names, at each
  /// reading.
  [[nodiscard]] Result<UniqueFd> open_file(const std::string& path) const;

 private:
  std::string programs_;
  UniqueFd root_;
  StandardStreams streams_;
  bool confined_root_ = false;
};

}  // namespace sternpost

// One conversation with a running instance over its control socket. Blocking: a command line has nothing else
// to do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/unique_fd.h"
#include "service/admin/protocol.h"
#include "tool/failure.h"
#include "tool/options.h"

namespace sternpost::tool {

class ControlClient {
 public:
  /// Connects to STATE/run/control and compares protocols. ExitStatus::not_running where nobody listens.
  static Outcome<ControlClient> connect(const std::string& state_directory);

  /// Sends one request and waits up to two minutes for the answer of type `Answer`. An instance that answers
  /// Done instead refuses, and says why.
  template <class Answer>
  Outcome<Answer> ask(const admin::Request& request) {
    auto reply = exchange(request);
    if (!reply) return std::unexpected(std::move(reply.error()));
    if (auto* answer = std::get_if<Answer>(&*reply)) return std::move(*answer);
    if (const auto* done = std::get_if<admin::Done>(&*reply); done != nullptr && !done->refused.empty()) {
      return failure(ExitStatus::failed, done->refused);
    }
    return failure(ExitStatus::failed, "the instance gave an answer to another question");
  }

  /// Waits until the instance closes the connection, at most two minutes.
  void wait_for_end();

 private:
  explicit ControlClient(UniqueFd socket) : socket_(std::move(socket)) {}

  Outcome<admin::Reply> exchange(const admin::Request& request);
  Outcome<void> greet();
  Outcome<void> send(std::string_view bytes);
  Outcome<std::string> receive(std::size_t size);

  UniqueFd socket_;
};

/// Connects to the instance that --state, or the configuration, names.
Outcome<ControlClient> connect_to_instance(const Options& options);

}  // namespace sternpost::tool

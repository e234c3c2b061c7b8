// The control channel between master and each compartment. It alone carries descriptors, as ancillary data of
// the frame that names them, and only from master, except for the slices that config answers.
//
// The compartment believes master. Master believes what a compartment says of itself and nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "base/codec.h"
#include "base/time.h"
#include "runtime/compartment.h"
#include "runtime/sandbox.h"

namespace sternpost::control {

inline constexpr std::size_t kMaxFrame = 256 * 1024;
inline constexpr std::size_t kMaxDescriptors = 64;

/// First frame to a new process. Descriptors: the slice; the empty root directory; one for each of
/// `confinement.folders`; one for each listener.
struct Start {
  std::uint32_t instance = 0;
  Confinement confinement;
  std::uint32_t listeners = 0;
  /// So many Peer frames follow at once, log's not counted; spool, for one, waits for the agents among them.
  std::uint32_t peers = 0;
  std::optional<std::uint32_t> control_group;  ///< for admin: the gid that may use the control socket
  /// Milliseconds: how long a peer that ended may take to come back, at the most.
  std::uint32_t peer_grace_ms = 0;
  static constexpr auto fields() {
    return std::tuple(&Start::instance, &Start::confinement, &Start::listeners, &Start::peers,
                      &Start::control_group, &Start::peer_grace_ms);
  }
};

/// One descriptor: a fresh channel to that peer. A channel to a peer of the same row that is there already
/// stays until the peer closes it; new work goes to the newest.
struct Peer {
  Compartment row = Compartment::master;
  std::uint32_t instance = 0;
  static constexpr auto fields() { return std::tuple(&Peer::row, &Peer::instance); }
};

/// One descriptor: a new slice for a compartment that is not renewed. Answered by SliceAnswer.
struct NewSlice {
  std::uint64_t generation = 0;
  /// False: only check whether it would be taken. True: take it (sent after every compartment said yes).
  bool commit = false;
  static constexpr auto fields() { return std::tuple(&NewSlice::generation, &NewSlice::commit); }
};

/// Take no new work, finish what is in hand, exit 0.
struct Drain {
  bool urgent = false;  ///< the instance stops: sessions get a 421 at their next command
  static constexpr auto fields() { return std::tuple(&Drain::urgent); }
};

struct QueryCounters {
  std::uint64_t request = 0;
  static constexpr auto fields() { return std::tuple(&QueryCounters::request); }
};

struct Counter {
  std::string name;
  std::uint64_t value = 0;
  static constexpr auto fields() { return std::tuple(&Counter::name, &Counter::value); }
};

struct ProcessStatus {
  Compartment row = Compartment::master;
  std::uint32_t instance = 0;
  std::int32_t pid = 0;
  std::uint64_t generation = 0;
  std::string state;  ///< starting, running, draining
  WallTime since;
  std::uint32_t restarts = 0;
  std::vector<Counter> counters;
  std::vector<std::string> layers;  ///< as in Ready; none before it
  static constexpr auto fields() {
    return std::tuple(&ProcessStatus::row, &ProcessStatus::instance, &ProcessStatus::pid,
                      &ProcessStatus::generation, &ProcessStatus::state, &ProcessStatus::since,
                      &ProcessStatus::restarts, &ProcessStatus::counters, &ProcessStatus::layers);
  }
};

/// To admin only: the answers to AskStatus and AskRun.
struct StatusAnswer {
  std::uint64_t request = 0;
  std::vector<ProcessStatus> processes;  ///< master first, then the oldest
  std::uint32_t left_out = 0;            ///< processes beyond what one frame carries
  static constexpr auto fields() {
    return std::tuple(&StatusAnswer::request, &StatusAnswer::processes, &StatusAnswer::left_out);
  }
};

struct RunAnswer {
  std::uint64_t request = 0;
  std::string refused;
  static constexpr auto fields() { return std::tuple(&RunAnswer::request, &RunAnswer::refused); }
};

/// To smtp only: the answer to AskConnect. One descriptor, connected; none where `refused` says why.
struct ConnectAnswer {
  std::uint64_t request = 0;
  std::string refused;
  static constexpr auto fields() { return std::tuple(&ConnectAnswer::request, &ConnectAnswer::refused); }
};

using ToService =
    std::variant<Start, Peer, NewSlice, Drain, QueryCounters, StatusAnswer, RunAnswer, ConnectAnswer>;

/// Confined, and every listener accepts.
struct Ready {
  /// The layers that hold, for `show plan`: "uid", "root", "landlock 7", "seccomp".
  std::vector<std::string> layers;
  static constexpr auto fields() { return std::tuple(&Ready::layers); }
};

/// The process cannot start or go on; it exits after this.
struct Failed {
  std::string why;
  static constexpr auto fields() { return std::tuple(&Failed::why); }
};

struct SliceAnswer {
  std::uint64_t generation = 0;
  std::string refused;
  static constexpr auto fields() { return std::tuple(&SliceAnswer::generation, &SliceAnswer::refused); }
};

/// Please start a successor; I have served enough.
struct Retire {
  std::string why;
  static constexpr auto fields() { return std::tuple(&Retire::why); }
};

struct Counters {
  std::uint64_t request = 0;
  std::vector<Counter> counters;
  static constexpr auto fields() { return std::tuple(&Counters::request, &Counters::counters); }
};

/// From config only. One descriptor: the sealed slice of that row.
struct Slice {
  Compartment row = Compartment::master;
  static constexpr auto fields() { return std::tuple(&Slice::row); }
};

/// From config only: all slices are sent, or the configuration is refused with these lines.
struct ConfigDone {
  std::vector<std::string> errors;
  static constexpr auto fields() { return std::tuple(&ConfigDone::errors); }
};

/// From admin only.
struct AskStatus {
  std::uint64_t request = 0;
  static constexpr auto fields() { return std::tuple(&AskStatus::request); }
};

enum class RunCommand : unsigned char { stop, reload };

struct AskRun {
  std::uint64_t request = 0;
  RunCommand command = RunCommand::stop;
  static constexpr auto fields() { return std::tuple(&AskRun::request, &AskRun::command); }
};

/// From smtp only: a connection to a Unix-domain socket that the configuration names.
struct AskConnect {
  std::uint64_t request = 0;
  std::string path;
  static constexpr auto fields() { return std::tuple(&AskConnect::request, &AskConnect::path); }
};

using FromService = std::variant<Ready, Failed, SliceAnswer, Retire, Counters, Slice, ConfigDone, AskStatus,
                                 AskRun, AskConnect>;

}  // namespace sternpost::control

namespace sternpost {
template <>
inline constexpr unsigned kEnumBound<control::RunCommand> = 2;
}

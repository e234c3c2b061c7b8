// The skeleton of every compartment: its main declares what it is, run() does the rest.
//
// Order: read Start from master (descriptor 3), initialise libraries that open files late, confine, build the
// service, answer Ready, serve until drained or until master's end closes. See docs/architecture.md sections
// 2, 3.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "runtime/compartment.h"
#include "runtime/control_protocol.h"
#include "runtime/counters.h"
#include "runtime/record.h"

namespace sternpost {

/// Sends records to log, best effort: bounded, never blocking, drops counted. `at` and `by` are filled in.
class RecordSink {
 public:
  virtual ~RecordSink() = default;
  virtual void record(Record record) = 0;
};

/// What run() gives a service. References live as long as the process.
struct ServiceContext {
  boost::asio::io_context& loop;
  std::uint32_t instance = 0;
  std::string slice = {};                ///< encoded; decode<config::…Slice>(slice)
  std::vector<UniqueFd> folders = {};    ///< in the order of the plan's row
  std::vector<UniqueFd> listeners = {};  ///< listening sockets, non-blocking, shared with other workers
  std::uint32_t initial_peers = 0;       ///< Peer frames that follow at once
  RecordSink& records;
  TrafficCounters& traffic;
  /// Asks master for a successor (see control::Retire).
  std::function<void(std::string why)> retire = {};
  /// Ends the process with exit code 0 once everything gathered is written; called when drained.
  std::function<void()> exit = {};
  /// To be called when a channel to `row` closed. A breach of the protocol becomes a record. Where no channel
  /// to that row is left, `last`, and no new one comes in time, Service::peer_lost is called.
  std::function<void(Compartment row, const Error& why, bool last)> channel_closed = [](auto...) {};
  /// Sends a frame to master; for admin and config.
  std::function<void(const control::FromService&)> tell_master = {};
  /// The same, with a descriptor; for config's slices.
  std::function<void(const control::FromService&, SharedFd descriptor)> tell_master_with = {};
  /// Descriptors that the process may have.
  std::uint64_t max_descriptors = std::numeric_limits<std::uint64_t>::max();
  /// For admin: the gid of the group that may use the control socket, where there is one.
  std::optional<std::uint32_t> control_group = {};
};

class Service {
 public:
  virtual ~Service() = default;

  /// A fresh channel to a peer of the plan's row (never log: the skeleton keeps that one).
  virtual void peer(Compartment row, std::uint32_t instance, UniqueFd socket) = 0;

  /// The channel to `row` broke while both sides live. True where the service sees to it itself; otherwise
  /// the process ends and master starts it anew, with fresh channels.
  virtual bool peer_lost(Compartment /*row*/) { return false; }

  /// Take no new work, finish what is in hand, then call context.exit.
  virtual void drain(bool urgent) = 0;

  /// A new slice for a compartment that is not renewed. Only checks it unless `commit`.
  virtual Result<void> new_slice(std::string_view, bool /*commit*/) {
    return fail(ErrorClass::internal, "this compartment is renewed, not reconfigured");
  }

  /// Counters of its own beside the traffic's.
  virtual std::vector<control::Counter> counters() { return {}; }

  /// Answers of master, with the descriptors that came with them: StatusAnswer and RunAnswer for admin,
  /// ConnectAnswer for smtp.
  virtual void from_master(control::ToService&&, std::vector<UniqueFd>&&) {}
};

struct ServiceSpec {
  Compartment self = Compartment::master;
  /// Initialises libraries that open files or start threads late; runs before confinement. May be empty.
  std::function<Result<void>()> before_confinement;
  /// Builds the service; runs confined.
  std::function<Result<std::unique_ptr<Service>>(ServiceContext&&)> make;
};

/// The whole life of a compartment; returns its exit status.
int run_service(const ServiceSpec& spec);

}  // namespace sternpost

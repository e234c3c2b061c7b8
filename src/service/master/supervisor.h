// Master's work: it starts every compartment, connects them, restarts what ends, renews, reloads and stops.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/record_channel.h"
#include "service/master/config_run.h"
#include "service/master/instance.h"
#include "service/master/launcher.h"
#include "service/master/process.h"

namespace sternpost {

/// All that master opened before it confined itself.
struct InstanceResources {
  ConfigSource source;
  config::MasterSlice settings;
  Slices slices;
  InstanceFolders folders;
  SmtpListeners listeners;
  UniqueFd trust_anchor;  ///< as it was at the last reading of the configuration
  ControlSocket control_socket;
  UniqueFd empty_root;
  bool as_root = false;
};

class Supervisor {
 public:
  struct Events {
    /// Every compartment is ready for the first time.
    std::function<void()> on_ready;
    /// Everything has ended; `failure` is empty after an ordinary stop.
    std::function<void(std::string failure)> on_end;
  };

  Supervisor(boost::asio::io_context& loop, TrafficCounters& counters, const Launcher& launcher,
             InstanceResources resources, Events events);

  void begin();
  /// Reads the configuration again and renews; `done` is told why not, or nothing. One at a time: a call
  /// while one runs is carried out after it.
  void reload(std::function<void(std::string refused)> done);
  void stop(std::string failure = {});

 private:
  using ProcessList = std::list<std::unique_ptr<Process>>;

  /// A change of generation under way.
  struct Reload {
    std::function<void(std::string)> done;
    std::uint64_t generation = 0;
    Slices slices;
    config::MasterSlice settings;
    SmtpListeners listeners;
    UniqueFd trust_anchor;
    std::unique_ptr<ConfigRun> run;
    std::map<Compartment, std::uint32_t> unanswered;  ///< told rows, by the instance that was asked
    std::vector<std::uint32_t> successors;            ///< instances that are not ready yet
    bool starting_successors = false;
    bool starting_last = false;  ///< those of rows that are renewed last
  };

  /// What the processes of a generation are started with.
  struct Provisions {
    const Slices& slices;
    const config::MasterSlice& settings;
    const SmtpListeners& listeners;
    const UniqueFd& trust_anchor;
  };

  /// A question of admin that waits for everyone's counters.
  struct StatusQuery {
    std::uint32_t asker = 0;
    std::uint64_t request = 0;
    std::vector<std::uint32_t> waiting;
  };

  // starting and connecting
  [[nodiscard]] Provisions in_force() const;
  Process* start(const Row& row, std::uint64_t generation, const Provisions& provisions);
  void send_start(Process& process, const Provisions& provisions);
  void connect(Process& process);
  void link(Process& a, Process& b);
  void connect_own_records(Process& log);
  std::uint32_t workers(const Row& row, const config::MasterSlice& settings) const;

  // events
  void on_frame(Process& process, control::FromService&& frame);
  void on_ready(Process& process, std::vector<std::string>&& layers);
  void on_end(Process& process, const std::string& how);
  void restart(const Row& row);
  void restart_now(const Row& row);
  void after_restart_delay(std::function<void()> work);
  [[nodiscard]] std::size_t serving(Compartment row) const;
  void bound_draining(Compartment row);
  void retire(Process& process, const std::string& why);
  void retire_later(std::uint32_t instance);

  // reload
  void reload_configured(Slices slices, const std::vector<std::string>& errors);
  [[nodiscard]] bool can_tell() const;
  void ask_told_rows(bool commit);
  void on_slice_answer(Process& process, const control::SliceAnswer& answer);
  void start_successors(bool last);
  void finish_reload();
  void abandon(Process& successor);
  void refuse_reload(const std::string& why);
  void end_reload(const std::string& refused);

  void connect_local(Process& asker, const control::AskConnect& ask);

  // stopping and status
  void stop_stage();
  void begin_status(Process& asker, std::uint64_t request);
  void on_counters(Process& process, control::Counters&& counters);
  void answer_status();

  void record(Decision decision, const Process& process, std::string outcome);
  Process* find(std::uint32_t instance);
  /// The newest process of a row that is not draining.
  Process* current(Compartment row);
  void drain(Process& process, bool urgent);

  boost::asio::io_context& loop_;
  TrafficCounters& counters_;
  const Launcher& launcher_;
  InstanceResources resources_;
  Events events_;
  RecordChannel records_;
  ProcessList processes_;  ///< in the order in which they were started
  std::uint32_t next_instance_ = 1;
  std::uint64_t generation_ = 1;
  std::uint64_t newest_generation_ = 1;  ///< of reloads that were refused, too
  bool was_ready_ = false;
  std::map<std::uint32_t, std::uint32_t>
      successor_of_;  ///< instance of the new one to that of the one it replaces
  std::map<Compartment, std::uint32_t> restarts_;
  std::map<Compartment, unsigned> quick_ends_;
  std::list<boost::asio::steady_timer> restart_timers_;
  std::unique_ptr<Reload> reload_;
  std::vector<std::function<void(std::string)>> reloads_waiting_;
  boost::asio::steady_timer reload_timer_;
  std::unique_ptr<StatusQuery> status_;
  std::vector<std::pair<std::uint32_t, std::uint64_t>> status_waiting_;
  boost::asio::steady_timer status_timer_;
  bool stopping_ = false;
  unsigned stop_stage_ = 0;
  std::string failure_;
  boost::asio::steady_timer stop_timer_;
  WallTime started_;
};

}  // namespace sternpost

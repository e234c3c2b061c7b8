// The shell of the agent smtp: jobs from spool, addresses from dns, connections to other servers.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "config/slices.h"
#include "runtime/agent/agent_desk.h"
#include "runtime/channel/channel.h"
#include "runtime/channel/end_of_turn.h"
#include "runtime/service.h"
#include "service/smtp/attempt.h"
#include "service/smtp/connection.h"
#include "service/smtp/dns_link.h"
#include "service/smtp/host_memory.h"
#include "service/smtp/own_addresses.h"

namespace sternpost::smtp_client {

class SmtpService final : public Service, private ConnectionHost {
 public:
  /// How long an agent that is to end now goes on with what it has in hand.
  static constexpr std::chrono::seconds kUrgentPatience{10};

  static Result<std::unique_ptr<Service>> make(ServiceContext&& context);

  SmtpService(ServiceContext&& context, config::SmtpSlice slice);
  ~SmtpService() override;
  SmtpService(const SmtpService&) = delete;
  SmtpService& operator=(const SmtpService&) = delete;

  void peer(Compartment row, std::uint32_t instance, UniqueFd socket) override;
  void drain(bool urgent) override;
  std::vector<control::Counter> counters() override;
  void from_master(control::ToService&& frame, std::vector<UniqueFd>&& descriptors) override;

 private:
  using SpoolChannel = Channel<spool_agent::ToAgent, spool_agent::FromAgent>;
  using AttemptPtr = std::shared_ptr<Attempt>;
  using ConnectionPtr = std::shared_ptr<Connection>;

  /// A connection and what it works on.
  struct Used {
    ConnectionPtr connection;
    std::string site;
    AttemptPtr attempt;  ///< null while it is idle
    bool fresh = true;   ///< it has delivered nothing yet
    bool own = false;    ///< it came to this server itself
  };

  /// The addresses of a site's hosts while they are gathered.
  struct Gathering {
    AttemptPtr attempt;
    std::vector<HostAddresses> hosts;
    std::size_t outstanding = 0;
  };

  // ConnectionHost
  bool reached(Connection& connection) override;
  void finished(Connection& connection, smtp::Finished&& result) override;
  void closed(Connection& connection) override;
  std::span<char> read_buffer() override { return read_buffer_; }

  void connect_spool(UniqueFd socket);
  Result<void> from_spool(spool_agent::ToAgent&& frame);
  Result<void> take_recorded(const spool_agent::Recorded& recorded);
  void begin_jobs();
  void begin_job(WaitingJob&& job);
  void unreadable(const spool_agent::Unreadable& told);
  void start(const AttemptPtr& attempt);
  bool make_room();
  Used* idle_connection(const std::string& site);
  void use(Used& used, const AttemptPtr& attempt);
  void resolve(const AttemptPtr& attempt);
  void resolved(const std::shared_ptr<Gathering>& gathering);
  void connect_next(const AttemptPtr& attempt);
  void connect_local(const ConnectionPtr& connection);
  void go_on(Used& used);
  void end(const AttemptPtr& attempt);
  void serve_waiting();
  [[nodiscard]] std::size_t choose(std::size_t below);
  void start_sweeping();
  void sweep();
  void exit_if_drained();

  ServiceContext context_;
  config::SmtpSlice slice_;
  smtp::ClientLimits smtp_limits_, lmtp_limits_;
  std::vector<char> read_buffer_;
  AgentDesk desk_;
  DnsLink dns_;
  OwnAddresses own_;
  HostMemory down_;
  std::unique_ptr<SpoolChannel> spool_;
  std::map<std::uint64_t, Used> connections_;
  std::unordered_map<std::string, std::vector<std::uint64_t>> idle_;  ///< by site, the last used last
  std::deque<AttemptPtr> waiting_;                                    ///< for a connection
  std::unordered_map<spool_agent::JobId, FinishedJob> finished_;
  std::map<std::uint64_t, ConnectionPtr> asked_master_;
  std::uint64_t next_connection_ = 1;
  std::minstd_rand random_;
  EndOfTurn begin_at_end_;
  boost::asio::steady_timer sweep_timer_;
  boost::asio::steady_timer drain_timer_;
  bool sweeping_ = false;
  bool draining_ = false;
  std::uint64_t delivered_ = 0;
  std::uint64_t opened_ = 0;
  std::uint64_t reused_ = 0;
};

}  // namespace sternpost::smtp_client

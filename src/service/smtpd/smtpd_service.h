// The smtpd compartment: listeners, sessions and their deadlines, between clients, router and spool.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "config/slices.h"
#include "runtime/channel/end_of_turn.h"
#include "runtime/service.h"
#include "service/smtpd/acceptor.h"
#include "service/smtpd/router_link.h"
#include "service/smtpd/smtpd_session.h"
#include "service/smtpd/spool_link.h"

namespace sternpost::smtpd {

class SmtpdService final : public Service, private SessionHost {
 public:
  SmtpdService(ServiceContext&& context, config::SmtpdSlice&& slice);
  ~SmtpdService() override;
  SmtpdService(const SmtpdService&) = delete;
  SmtpdService& operator=(const SmtpdService&) = delete;

  void peer(Compartment row, std::uint32_t instance, UniqueFd socket) override;
  bool peer_lost(Compartment row) override;
  void drain(bool urgent) override;
  std::vector<control::Counter> counters() override;

  /// Serves a connected client; what the acceptors do with each connection.
  void serve(UniqueFd socket, const sockaddr_storage& peer);

 private:
  // SessionHost
  void act(Session& session, smtp::Action&& action) override;
  void ended(Session& session) override;
  std::span<char> read_buffer() override { return read_buffer_; }
  std::vector<smtp::Action>& action_buffer() override { return action_buffer_; }
  [[nodiscard]] bool has_room(Session& session) override;

  void on(Session& session, smtp::VerifyRecipient&& verify);
  void on(Session& session, smtp::WantId&& want);
  void on(Session& session, smtp::SendPiece&& piece);
  void on(Session& session, smtp::Commit&& commit);
  void on(Session& session, smtp::Abandon&& abandon);
  void on(Session& session, smtp::Refusal&& refusal);

  void on_pressure(const spool_intake::Pressure& pressure);
  static LeasedId message_of(const Session& session);
  void resume_sessions();
  void grant_waiting_ids();
  void grant_later();
  void grant(Session& session, const LeasedId& id);
  void on_verdict(const RouterLink::Question& question, const mail::Reply& reply, const Rule& rule);
  void on_committed(SpoolLink::Sent&& message);
  void on_not_committed(const SpoolLink::Sent& message, const mail::Reply& reply, const Rule& rule);
  void turn_away(const UniqueFd& socket, const std::string& client, const mail::Reply& reply,
                 const Rule& rule);
  void ask_to_retire(std::string why);
  void on_shortage(int errno_value);
  Record record_of(const Session& session, Decision decision) const;
  std::shared_ptr<Session> find(std::uint64_t number) const;

  void start_sweeping();
  void sweep();
  void sweep_session(Session& session, SteadyTime now);
  void sweep_waiting_for_ids(SteadyTime now);
  void exit_when_empty();

  struct WaitingForId {
    std::uint64_t session = 0;
    SteadyTime since;  ///< not before: under pressure it lies ahead
  };

  ServiceContext context_;
  config::SmtpdSlice slice_;
  smtp::ServerLimits limits_;
  std::string process_name_;  ///< prefix of session names, of no other process
  std::vector<char> read_buffer_;
  std::vector<smtp::Action> action_buffer_;
  RouterLink router_;
  SpoolLink spool_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Session>> sessions_;
  std::unordered_map<std::string, std::uint32_t> sessions_of_client_;
  std::deque<WaitingForId> waiting_for_ids_;
  std::deque<std::uint64_t> waiting_for_room_;  ///< sessions, the longest waiting first
  EndOfTurn resume_at_end_;
  boost::asio::steady_timer sweep_timer_;
  boost::asio::steady_timer retire_timer_;
  boost::asio::steady_timer slow_timer_;
  queue::PressureLevel pressure_ = queue::PressureLevel::none;
  std::optional<SteadyTime> last_shortage_;
  std::uint64_t served_ = 0;
  std::uint64_t accepted_messages_ = 0;
  std::uint64_t refusals_ = 0;
  bool sweeping_ = false;
  bool asked_to_retire_ = false;
  bool draining_ = false;
  bool exited_ = false;
};

/// Decodes the slice and begins to accept.
Result<std::unique_ptr<Service>> make_service(ServiceContext&& context);

/// The engine's part of the slice.
smtp::ServerLimits server_limits(const config::SmtpdSlice& slice);

}  // namespace sternpost::smtpd

// The router's shell: channels to those who ask and to those who know, around route::Router.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "route/router.h"
#include "runtime/channel/channel.h"
#include "runtime/channel/end_of_turn.h"
#include "runtime/service.h"
#include "service/dns/protocol.h"
#include "service/router/inquiries.h"
#include "service/router/protocol.h"
#include "service/users/protocol.h"

namespace sternpost::router {

class RouterService final : public Service {
 public:
  static Result<std::unique_ptr<Service>> make(ServiceContext&& context);

  RouterService(ServiceContext&& context, route::Router router);

  void peer(Compartment row, std::uint32_t instance, UniqueFd socket) override;
  void drain(bool urgent) override;
  std::vector<control::Counter> counters() override;

  /// What is known of a message waits so long for the rest of it, so that recipients of several domains at
  /// the same hosts share a transaction. Nobody waits longer for a domain that does not answer.
  static constexpr std::chrono::milliseconds kGathering{250};

 private:
  using IntakeChannel = Channel<FromIntake, ToIntake>;
  using QmgrChannel = Channel<FromQmgr, ToQmgr>;
  using UsersChannel = Channel<users::FromUsers, users::ToUsers>;
  using DnsChannel = Channel<dns::FromDns, dns::ToDns>;
  /// Request number to name, on one channel.
  using Asked = std::unordered_map<std::uint64_t, std::string>;

  template <class In, class Out>
  void connect(std::list<std::shared_ptr<Channel<In, Out>>>& channels, Compartment row, UniqueFd socket);
  void connect_users(UniqueFd socket);
  void connect_dns(UniqueFd socket);
  void ask_users(const std::vector<std::string>& names);
  void ask_dns(const std::vector<std::string>& names);
  /// The recipients of one message on their way to their sites.
  struct RouteJob {
    QueueId id;
    std::uint32_t generation = 0;
    std::weak_ptr<QmgrChannel> asker;
    std::size_t open = 0;                ///< recipients whose way is not known yet
    std::vector<RoutedRecipient> ready;  ///< the others, while qmgr was not told of them
  };
  /// Answers that wait for the rest of their message.
  struct Gathering {
    SteadyTime until;
    std::shared_ptr<RouteJob> job;
  };
  void answer(const std::shared_ptr<RouteJob>& job, std::uint32_t index, route::Ruling&& ruling);
  void send_answers(SteadyTime now);
  [[nodiscard]] std::optional<SteadyTime> next_time() const;

  void take_question(const std::shared_ptr<IntakeChannel>& channel, FromIntake&& frame);
  void take_question(const std::shared_ptr<QmgrChannel>& channel, FromQmgr&& frame);
  Result<void> take_answer(users::Found&& found);
  Result<void> take_answer(dns::Answer&& answer);
  /// Sends the lookups that questions want, and sets the timer for those that get no answer.
  void act();

  ServiceContext context_;
  route::Router router_;
  Inquiries inquiries_;
  std::list<std::shared_ptr<IntakeChannel>> intakes_;
  std::list<std::shared_ptr<QmgrChannel>> qmgrs_;
  std::unique_ptr<UsersChannel> users_;
  std::unique_ptr<DnsChannel> dns_;
  Asked asked_users_, asked_dns_;
  std::vector<std::shared_ptr<RouteJob>> answered_;  ///< since the end of the last turn
  std::deque<Gathering> gathering_;
  std::uint64_t next_request_ = 1;
  boost::asio::steady_timer timer_;
  EndOfTurn act_at_end_;
  std::uint64_t verified_ = 0;
  std::uint64_t routed_ = 0;
};

}  // namespace sternpost::router

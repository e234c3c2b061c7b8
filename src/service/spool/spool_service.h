// spool: owns the queue on disk, hub of content and outcomes. A shell around spool::Engine: it gathers what
// one turn of the loop brings, commits it at once, and answers.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "config/slices.h"
#include "runtime/channel/channel.h"
#include "runtime/channel/end_of_turn.h"
#include "runtime/service.h"
#include "service/spool/commit_queue.h"
#include "service/spool/company.h"
#include "service/spool/content_thread.h"
#include "service/spool/fresh_envelopes.h"
#include "service/spool/intake_desk.h"
#include "service/spool/job_book.h"
#include "service/spool/notice_protocol.h"
#include "service/spool/qmgr_protocol.h"
#include "service/spool/read_failures.h"
#include "spool/engine.h"
#include "spool/posix_disk.h"

namespace sternpost::spool_service {

class SpoolService final : public Service {
 public:
  static Result<std::unique_ptr<Service>> make(ServiceContext&& context);

  SpoolService(ServiceContext&& context, const config::SpoolSlice& slice,
               std::vector<std::unique_ptr<spool::PosixDisk>> disks, std::uint64_t random);

  /// Recovers the queue. Not before this may peers be connected.
  Result<void> open(const spool::EngineOptions& options);

  void peer(Compartment row, std::uint32_t instance, UniqueFd socket) override;
  void drain(bool urgent) override;
  Result<void> new_slice(std::string_view encoded, bool commit) override;
  std::vector<control::Counter> counters() override;

 private:
  using IntakeChannel = Channel<spool_intake::ToSpool, spool_intake::FromSpool>;
  using AgentChannel = Channel<spool_agent::FromAgent, spool_agent::ToAgent>;
  using QmgrChannel = Channel<spool_qmgr::ToSpool, spool_qmgr::FromSpool>;
  using AdminChannel = Channel<spool_admin::ToSpool, spool_admin::FromSpool>;

  using BounceChannel = Channel<spool_notice::FromBounce, spool_notice::ToBounce>;

  struct Agent {
    Compartment row = Compartment::virtual_mailbox;
    std::unique_ptr<AgentChannel> channel;
    bool announced = false;  ///< its InHand is here
  };
  using OrderQueue = std::deque<spool_qmgr::Order>;

  /// A notice on its way from qmgr's wish to the log.
  struct Notice {
    spool::Settlement settles;
    QueueId id;                      ///< that it will have
    mail::ReversePath reverse_path;  ///< of the message that it is about
    bool waits_for_bounce = false;   ///< else it waits for the commit
    std::string nobody = {};         ///< why none is written
  };
  static constexpr std::size_t kMaxNotices = 1000;

  void connect_intake(Compartment row, UniqueFd socket);
  void connect_agent(Compartment row, UniqueFd socket);
  void connect_bounce(UniqueFd socket);
  void connect_qmgr(UniqueFd socket);
  void connect_admin(UniqueFd socket);
  Result<void> from_intake(ChannelId channel, spool_intake::ToSpool&& frame);
  Result<void> take_piece(ChannelId channel, spool_intake::Piece&& piece);
  Result<void> take_abandon(ChannelId channel, const spool_intake::Abandon& abandon);
  Result<void> take_commit(ChannelId channel, spool_intake::Commit&& commit);
  void intake_closed(ChannelId channel);
  void ask_committed(ChannelId channel, QueueId id);
  void answer_committed();
  Result<void> take_lease(ChannelId channel, const spool_intake::Lease& lease);
  void answer_leases();

  Result<void> from_agent(ChannelId channel, spool_agent::FromAgent&& frame);
  Result<void> take_outcome(ChannelId channel, spool_agent::Outcome&& outcome);
  Result<void> take_unreadable(ChannelId channel, spool_agent::Unreadable&& unreadable);
  void agent_closed(ChannelId channel);
  void answer_agent(ChannelId channel, spool_agent::JobId job);

  Result<void> from_qmgr(spool_qmgr::ToSpool&& frame);
  Result<void> take_decided(spool_qmgr::Decided&& decided);
  Result<void> take_orders(spool_qmgr::Orders&& orders);
  Result<void> take_tell(spool_qmgr::Tell&& tell);
  bool order_notice(spool_qmgr::Tell& tell);
  Result<void> from_bounce(spool_notice::FromBounce&& frame);
  Notice* awaited(spool_notice::JobId job);
  Result<void> take_written(spool_notice::Written&& written);
  Result<void> take_nobody(spool_notice::Nobody&& nobody);
  void answer_bounce(const ByBounce& by, const Settled& settled);
  void not_told(QueueId id);
  Result<void> take_pressure(const spool_qmgr::Pressure& pressure);
  void press(spool_intake::Pressure pressure);
  void tell_load();
  void bounce_gone();

  /// Commits the message, which the desk has counted, when its content is durable in a file; message.content
  /// is what is not written yet.
  void commit_behind_content(spool::AddMessage message, const Origin& origin);
  void content_written(QueueId id, std::size_t bytes, const Result<void>& result);
  void content_finished(QueueId id, Result<spool::ContentFile> file);
  void remove_discarded();
  [[nodiscard]] bool agents_are_known() const;
  void answer_pull();
  Result<void> take_get_addresses(const spool_qmgr::GetAddresses& asked);
  void answer_addresses();
  void retry_addresses();
  [[nodiscard]] bool may_read_addresses() const;
  [[nodiscard]] Result<spool_qmgr::AddressedMessage> find_addresses(QueueId id);
  [[nodiscard]] ContentLoad content_load(QueueId id) const;
  Result<void> put_content(spool_agent::Job& job, std::string& content);
  void hand_orders();
  bool hand_orders(Compartment row, OrderQueue& orders);
  void hand(ChannelId channel, const spool_qmgr::Order& order);
  void not_handed(QueueId id, std::vector<std::uint32_t> recipients);
  void reopen(const spool::RecordOutcomes& refused);
  Result<void> append_pulled(spool_qmgr::Pulled& pulled, QueueId id, std::size_t& bytes);
  [[nodiscard]] bool step_over(QueueId id, const Error& why);
  [[nodiscard]] bool is_held(QueueId id) const;
  void set_aside(QueueId id, const Error& why);
  void not_read(QueueId id, const Error& why);
  void forget_qmgr();

  Result<void> from_admin(ChannelId channel, const spool_admin::ToSpool& frame);
  void take_act(ChannelId channel, const spool_admin::Act& act);
  void refuse_act(ChannelId channel, std::uint64_t request, std::string why);

  /// Commits what waits: at the end of this turn if somebody waits for it, or soon.
  void schedule_commit();
  /// The end of a turn: commits, answers, hands out jobs.
  bool gives_way();
  void work();
  void end_when_drained();
  void answer(std::vector<Settled>&& settled);
  void note_envelope(Settled& settled);
  void answer_admin(const ByAdmin& by, const Settled& settled);
  void record_act(Decision decision, QueueId id, std::uint32_t uid);
  void note_pressure();
  void maintain();
  void note_trouble(const Error& trouble);
  void await_rest();
  void retry_later();

  ServiceContext context_;
  config::SpoolSlice slice_;
  std::vector<std::unique_ptr<spool::PosixDisk>> disks_;  ///< the main one, and that of the deferred log
  spool::SystemClock clock_;
  std::unique_ptr<spool::Engine> engine_;
  std::uint64_t salt_;

  /// A message whose content file is being finished.
  struct BehindContent {
    spool::AddMessage message;
    Origin origin;
    std::set<ChannelId> asked;  ///< want to know whether it is committed
  };

  std::unique_ptr<spool::PosixDisk> contents_disk_;  ///< the main folder, for the thread alone
  std::unique_ptr<ContentThread> contents_;
  std::unordered_map<QueueId, BehindContent> behind_content_;
  IntakeDesk desk_;
  JobBook jobs_;
  CommitQueue queue_;

  ChannelId next_channel_ = 1;
  std::uint32_t peers_seen_ = 0;
  std::map<ChannelId, std::unique_ptr<IntakeChannel>> intakes_;
  std::map<ChannelId, Agent> agents_;
  std::unique_ptr<QmgrChannel> qmgr_;
  std::map<ChannelId, std::unique_ptr<AdminChannel>> admins_;

  std::vector<std::pair<ChannelId, QueueId>> asked_committed_;
  std::vector<std::pair<ChannelId, std::uint32_t>> asked_leases_;
  std::optional<spool_qmgr::Pull> pull_;
  bool pull_failed_ = false;  ///< by the disk, for now: not answered before the next retry
  std::deque<QueueId> asked_addresses_;
  std::vector<QueueId> unread_addresses_;  ///< of those, the disk failed to read these, for now
  std::set<QueueId> stepped_over_;         ///< qmgr was not told of them, for they cannot be read
  std::deque<QueueId> pull_again_;         ///< of those, released since
  std::set<QueueId> setting_aside_;        ///< their hold is not durable yet
  FreshEnvelopes fresh_envelopes_;
  ReadFailures read_failures_;
  std::map<Compartment, OrderQueue> orders_;  ///< not handed yet, by the row that takes them
  std::unique_ptr<BounceChannel> bounce_;
  std::map<spool_notice::JobId, Notice> notices_;
  spool_notice::JobId next_notice_ = 1;

  Company company_;
  EndOfTurn work_at_end_;
  EndOfTurn maintain_at_end_;
  boost::asio::steady_timer company_timer_;    ///< outcomes wait for more
  boost::asio::steady_timer load_timer_;       ///< under pressure
  boost::asio::steady_timer rest_timer_;       ///< nobody waits for the disk
  boost::asio::steady_timer retry_timer_;      ///< after the disk failed
  boost::asio::steady_timer hand_timer_;       ///< an agent takes jobs more slowly than they come
  boost::asio::steady_timer addresses_timer_;  ///< the same of qmgr and addresses
  bool company_waiting_ = false;
  bool rest_waiting_ = false;
  bool retry_waiting_ = false;
  spool::Upkeep upkeep_ = spool::Upkeep::pressing;
  bool intake_is_closed_ = false;
  bool draining_ = false;
  std::string last_trouble_;         ///< of maintenance, recorded once
  spool_intake::Pressure pressure_;  ///< by qmgr's last word
  std::chrono::steady_clock::time_point load_told_;
  std::uint64_t messages_ = 0;
  std::uint64_t commits_ = 0;
};

}  // namespace sternpost::spool_service

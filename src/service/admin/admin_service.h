// The control socket: each connection asks one thing at a time; the answer comes from spool, qmgr or master.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "config/slices.h"
#include "runtime/channel/channel.h"
#include "runtime/service.h"
#include "service/admin/credentials.h"
#include "service/admin/protocol.h"

namespace sternpost {

class AdminService final : public Service {
 public:
  static Result<std::unique_ptr<Service>> make(ServiceContext&& context);
  /// `starter` is the uid that started the instance.
  AdminService(ServiceContext&& context, config::AdminSlice slice, uid_t starter);

  void peer(Compartment row, std::uint32_t instance, UniqueFd socket) override;
  void drain(bool urgent) override;
  Result<void> new_slice(std::string_view bytes, bool commit) override;
  void from_master(control::ToService&& frame, std::vector<UniqueFd>&& descriptors) override;
  std::vector<control::Counter> counters() override;

 private:
  using Client = Channel<admin::Request, admin::Reply>;
  using Spool = Channel<spool_admin::FromSpool, spool_admin::ToSpool>;
  using Qmgr = Channel<qmgr::FromQmgr, qmgr::ToQmgr>;

  /// The answer to Status while it is gathered.
  struct Gathering {
    admin::StatusReply reply;
    bool processes_missing = true, messages_missing = false, counts_missing = false;
    boost::asio::steady_timer patience;
  };

  struct Connection {
    std::unique_ptr<Client> client;
    uid_t uid = 0;              ///< of the peer, by the kernel's word
    bool allowed = false;       ///< it may command this instance
    std::uint64_t request = 0;  ///< under way; 0 is none
    bool asks_spool = false;    ///< and spool alone answers it
    bool asks_qmgr = false;     ///< and qmgr alone answers it
    std::unique_ptr<Gathering> status;
    /// What spool said, while qmgr is asked when these messages are tried next.
    std::optional<std::variant<spool_admin::Listed, spool_admin::Shown>> unfinished;
  };

  void accept();
  void accept_one();
  void accept_later();
  void welcome(UniqueFd socket, const Credentials& peer);
  void refuse(Connection& connection);
  Result<void> on_request(std::uint64_t connection, admin::Request request);
  void ask(Connection& connection, const admin::Status& request);
  void ask(Connection& connection, const admin::Run& request);
  void ask(Connection& connection, spool_admin::List& request);
  void ask(Connection& connection, spool_admin::Show& request);
  void ask(Connection& connection, spool_admin::Act& request);
  void ask(Connection& connection, qmgr::Flush& request);
  template <class Frame>
  void ask_spool(Connection& connection, Frame& frame);

  void connect_spool(UniqueFd socket);
  void connect_qmgr(UniqueFd socket);
  void spool_closed(const Error& why);
  void spool_gone();
  void qmgr_closed(const Error& why);
  void qmgr_gone();
  void from_qmgr(qmgr::FromQmgr&& frame);
  template <class Reply>
  void ask_next(Reply&& reply, std::vector<QueueId> ids);
  void fill_in(Connection& connection, const qmgr::NextAttempts& next);

  Connection* asker(std::uint64_t request);
  Gathering* gathering(std::uint64_t request);
  template <class Reply>
  void answer(std::uint64_t request, const Reply& reply);
  void maybe_answer_status(Connection& connection);
  void answer_status(Connection& connection);

  ServiceContext context_;
  config::AdminSlice slice_;
  uid_t starter_;
  boost::asio::posix::stream_descriptor listener_;
  boost::asio::steady_timer accept_timer_;
  std::unique_ptr<Spool> spool_;
  std::unique_ptr<Qmgr> qmgr_;
  std::map<std::uint64_t, Connection> connections_;
  std::uint64_t next_ = 1;  ///< numbers connections and requests
  std::uint64_t refused_ = 0;
  std::uint64_t turned_away_ = 0;
};

}  // namespace sternpost

// The control socket: each connection asks one thing at a time; the answer comes from spool, qmgr or master.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "config/slices.h"
#include "runtime/channel/channel.h"
#include "runtime/service.h"
#include "service/admin/protocol.h"

namespace sternpost {

class AdminService final : public Service {
 public:
  static Result<std::unique_ptr<Service>> make(ServiceContext&& context);
  AdminService(ServiceContext&& context, config::AdminSlice slice);

  void peer(Compartment row, std::uint32_t instance, UniqueFd socket) override;
  void drain(bool urgent) override;
  Result<void> new_slice(std::string_view bytes, bool commit) override;
  void from_master(control::ToService&& frame) override;

 private:
  using Client = Channel<admin::Request, admin::Reply>;
  using Spool = Channel<spool_admin::FromSpool, spool_admin::ToSpool>;
  using Qmgr = Channel<qmgr::FromQmgr, qmgr::ToQmgr>;

  struct Connection {
    std::unique_ptr<Client> client;
    std::uint32_t uid = 0;                     ///< of the peer, by the kernel's word
    std::uint64_t request = 0;                 ///< under way; 0 is none
    std::optional<admin::StatusReply> status;  ///< what has come of it
    bool counts_missing = false, processes_missing = false;
  };

  void accept();
  void accept_one();
  Result<void> on_request(std::uint64_t connection, admin::Request&& request);
  void ask(Connection& connection, const admin::Status& request);
  void ask(Connection& connection, const admin::Run& request);
  void ask(Connection& connection, spool_admin::List& request);
  void ask(Connection& connection, spool_admin::Show& request);
  void ask(Connection& connection, spool_admin::Act& request);
  template <class Frame>
  void ask_spool(Connection& connection, Frame& frame);

  Connection* asker(std::uint64_t request);
  template <class Reply>
  void answer(std::uint64_t request, const Reply& reply);
  void maybe_answer_status(Connection& connection);
  void fail_all(const std::string& why);

  ServiceContext context_;
  config::AdminSlice slice_;
  boost::asio::posix::stream_descriptor listener_;
  std::unique_ptr<Spool> spool_;
  std::unique_ptr<Qmgr> qmgr_;
  std::map<std::uint64_t, Connection> connections_;
  std::uint64_t next_ = 1;  ///< numbers connections and requests
};

}  // namespace sternpost

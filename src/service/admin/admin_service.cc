#include "service/admin/admin_service.h"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

namespace sternpost {
namespace {

constexpr std::uint32_t kMaxListed = 256;

}  // namespace

Result<std::unique_ptr<Service>> AdminService::make(ServiceContext&& context) {
  auto slice = decode<config::AdminSlice>(context.slice);
  if (!slice) return fail(ErrorClass::internal, "admin's slice is malformed");
  if (context.listeners.size() != 1) return fail(ErrorClass::internal, "admin needs the control socket");
  return std::make_unique<AdminService>(std::move(context), *slice);
}

AdminService::AdminService(ServiceContext&& context, config::AdminSlice slice)
    : context_(std::move(context)), slice_(slice), listener_(context_.loop, context_.listeners[0].release()) {
  accept();
}

void AdminService::accept() {
  listener_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                       [this](const boost::system::error_code& error) {
                         if (error) return;
                         accept_one();
                         accept();
                       });
}

void AdminService::accept_one() {
  UniqueFd socket(::accept4(listener_.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  // Beyond the bound the connection is closed unheard; the command says that the server is busy.
  if (!socket || connections_.size() >= slice_.max_connections) return;
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return;
  const auto number = next_++;
  auto& connection = connections_[number];
  connection.uid = peer.uid;
  connection.client = std::make_unique<Client>(
      context_.loop, std::move(socket), FrameLimits{.max_frame = admin::kMaxFrame}, context_.traffic,
      Client::Handlers{
          [this, number](admin::Request&& request) { return on_request(number, std::move(request)); },
          [this, number](const Error&) { connections_.erase(number); }});
}

Result<void> AdminService::on_request(std::uint64_t number, admin::Request&& request) {
  auto& connection = connections_.at(number);
  if (connection.request != 0) return fail(ErrorClass::peer, "a request before the last was answered");
  connection.request = next_++;
  std::visit([&](auto& alternative) { ask(connection, alternative); }, request);
  return {};
}

void AdminService::ask(Connection& connection, const admin::Status&) {
  connection.status.emplace();
  connection.processes_missing = true;
  connection.counts_missing = qmgr_ != nullptr;
  context_.tell_master(control::AskStatus{connection.request});
  if (qmgr_) qmgr_->send(qmgr::QueryCounts{connection.request});
}

void AdminService::ask(Connection& connection, const admin::Run& request) {
  const auto command =
      request.command == admin::Command::stop ? control::RunCommand::stop : control::RunCommand::reload;
  context_.tell_master(control::AskRun{connection.request, command});
}

void AdminService::ask(Connection& connection, spool_admin::List& request) {
  request.max = std::clamp(request.max, 1U, kMaxListed);
  ask_spool(connection, request);
}

void AdminService::ask(Connection& connection, spool_admin::Show& request) {
  ask_spool(connection, request);
}

void AdminService::ask(Connection& connection, spool_admin::Act& request) {
  ask_spool(connection, request);
}

template <class Frame>
void AdminService::ask_spool(Connection& connection, Frame& frame) {
  if (!spool_) return answer(connection.request, admin::Done{"the spool is not running just now; try again"});
  frame.request = connection.request;
  spool_->send(frame);
}

AdminService::Connection* AdminService::asker(std::uint64_t request) {
  const auto found =
      std::ranges::find_if(connections_, [&](const auto& entry) { return entry.second.request == request; });
  return found == connections_.end() ? nullptr : &found->second;
}

template <class Reply>
void AdminService::answer(std::uint64_t request, const Reply& reply) {
  if (auto* connection = asker(request)) {
    connection->request = 0;
    connection->client->send(reply);
  }
}

void AdminService::maybe_answer_status(Connection& connection) {
  if (connection.counts_missing || connection.processes_missing) return;
  const auto reply = std::exchange(connection.status, {});
  answer(connection.request, *reply);
}

void AdminService::from_master(control::ToService&& frame) {
  if (auto* status = std::get_if<control::StatusAnswer>(&frame)) {
    auto* connection = asker(status->request);
    if (connection == nullptr || !connection->status) return;
    connection->status->processes = std::move(status->processes);
    connection->processes_missing = false;
    maybe_answer_status(*connection);
  } else if (auto* run = std::get_if<control::RunAnswer>(&frame)) {
    answer(run->request, admin::Done{std::move(run->refused)});
  }
}

void AdminService::peer(Compartment row, std::uint32_t, UniqueFd socket) {
  if (row == Compartment::spool) {
    spool_ = std::make_unique<Spool>(
        context_.loop, std::move(socket), FrameLimits{.max_frame = spool_admin::kMaxFrame}, context_.traffic,
        Spool::Handlers{[this](spool_admin::FromSpool&& frame) -> Result<void> {
                          std::visit([this](const auto& reply) { answer(reply.request, reply); }, frame);
                          return {};
                        },
                        [this](const Error&) {
                          spool_.reset();
                          fail_all("the spool ended before it answered; try again");
                        }});
  } else if (row == Compartment::qmgr) {
    qmgr_ = std::make_unique<Qmgr>(context_.loop, std::move(socket),
                                   FrameLimits{.max_frame = qmgr::kMaxFrame}, context_.traffic,
                                   Qmgr::Handlers{[this](qmgr::FromQmgr&& frame) -> Result<void> {
                                                    const auto& counts = std::get<qmgr::Counts>(frame);
                                                    auto* connection = asker(counts.request);
                                                    if (connection == nullptr || !connection->status)
                                                      return {};
                                                    connection->status->queue = counts;
                                                    connection->counts_missing = false;
                                                    maybe_answer_status(*connection);
                                                    return {};
                                                  },
                                                  [this](const Error&) {
                                                    qmgr_.reset();
                                                    for (auto& [number, connection] : connections_) {
                                                      if (!std::exchange(connection.counts_missing, false))
                                                        continue;
                                                      maybe_answer_status(connection);
                                                    }
                                                  }});
  }
}

/// Questions to the spool that ended are answered by us: nothing was changed that it did not say.
void AdminService::fail_all(const std::string& why) {
  for (auto& [number, connection] : connections_) {
    if (connection.request == 0 || connection.status) continue;
    answer(connection.request, admin::Done{why});
  }
}

Result<void> AdminService::new_slice(std::string_view bytes, bool commit) {
  const auto slice = decode<config::AdminSlice>(bytes);
  if (!slice) return fail(ErrorClass::peer, "admin's slice is malformed");
  if (commit) slice_ = *slice;
  return {};
}

void AdminService::drain(bool) {
  context_.exit();
}

}  // namespace sternpost

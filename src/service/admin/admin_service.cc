#include "service/admin/admin_service.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace sternpost {
namespace {

/// How long connections wait in the socket's queue when there is no descriptor or memory for them.
constexpr Milliseconds kAcceptPause{200};
/// How long spool and qmgr may take for their numbers; status is asked when things go wrong.
constexpr Seconds kStatusPatience{2};

}  // namespace

Result<std::unique_ptr<Service>> AdminService::make(ServiceContext&& context) {
  auto slice = decode<config::AdminSlice>(context.slice);
  if (!slice) return fail(ErrorClass::internal, "admin's slice is malformed");
  if (context.listeners.size() != 1) return fail(ErrorClass::internal, "admin needs the control socket");
  const auto starter = Credentials::of_peer(context.listeners[0].get());
  if (!starter) return std::unexpected(starter.error());
  return std::make_unique<AdminService>(std::move(context), *slice, starter->uid);
}

AdminService::AdminService(ServiceContext&& context, config::AdminSlice slice, uid_t starter)
    : context_(std::move(context)),
      slice_(slice),
      starter_(starter),
      listener_(context_.loop, context_.listeners[0].release()),
      accept_timer_(context_.loop) {
  accept();
}

void AdminService::accept() {
  listener_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                       [this](const boost::system::error_code& error) {
                         if (!error) accept_one();
                       });
}

void AdminService::accept_one() {
  UniqueFd socket(::accept4(listener_.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket && errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) return accept_later();
  accept();
  if (!socket) return;
  if (connections_.size() >= slice_.max_connections) {
    ++turned_away_;  // closed unheard; the command says that the instance closed the connection
    return;
  }
  if (const auto peer = Credentials::of_peer(socket.get())) welcome(std::move(socket), *peer);
}

/// The connection that could not be taken still waits: asking at once would spin.
void AdminService::accept_later() {
  accept_timer_.expires_after(kAcceptPause);
  accept_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) accept();
  });
}

void AdminService::welcome(UniqueFd socket, const Credentials& peer) {
  const auto number = next_++;
  auto& connection = connections_[number];
  connection.uid = peer.uid;
  connection.allowed = may_command(peer, starter_, context_.control_group);
  connection.client = std::make_unique<Client>(
      context_.loop, std::move(socket), FrameLimits{.max_frame = admin::kMaxFrame}, context_.traffic,
      Client::Handlers{[this, number](admin::Request request) { return on_request(number, request); },
                       [this, number](const Error&) { connections_.erase(number); }});
}

Result<void> AdminService::on_request(std::uint64_t number, admin::Request request) {
  auto& connection = connections_.at(number);
  if (connection.request != 0) return fail(ErrorClass::peer, "a request before the last was answered");
  connection.request = next_++;
  if (connection.allowed) {
    std::visit([&](auto& alternative) { ask(connection, alternative); }, request);
  } else {
    refuse(connection);
  }
  return {};
}

void AdminService::refuse(Connection& connection) {
  ++refused_;
  const std::string why =
      "you may not command this instance: be root, the user who started it, or a member of the group that "
      "admin.control_group names";
  context_.records.record({.decision = Decision::refused,
                           .rule = {"admin.control_group", "", 0},
                           .facts = {{"uid", fmt::format("{}", connection.uid)}},
                           .outcome = "a request on the control socket"});
  answer(connection.request, admin::Done{why});
}

void AdminService::ask(Connection& connection, const admin::Status&) {
  connection.status = std::make_unique<Gathering>(
      Gathering{.reply = {}, .patience = boost::asio::steady_timer(context_.loop, kStatusPatience)});
  auto& status = *connection.status;
  status.messages_missing = spool_ != nullptr;
  status.counts_missing = qmgr_ != nullptr;
  status.patience.async_wait([this, request = connection.request](const boost::system::error_code& error) {
    auto* asking = error ? nullptr : asker(request);
    if (asking != nullptr) answer_status(*asking);
  });
  context_.tell_master(control::AskStatus{connection.request});
  if (spool_) spool_->send(spool_admin::Count{connection.request});
  if (qmgr_) qmgr_->send(qmgr::QueryCounts{connection.request});
}

void AdminService::ask(Connection& connection, const admin::Run& request) {
  const auto command =
      request.command == admin::Command::stop ? control::RunCommand::stop : control::RunCommand::reload;
  context_.tell_master(control::AskRun{connection.request, command});
}

void AdminService::ask(Connection& connection, spool_admin::List& request) {
  request.max = std::clamp(request.max, 1U, spool_admin::kMaxListed);
  ask_spool(connection, request);
}

void AdminService::ask(Connection& connection, spool_admin::Show& request) {
  ask_spool(connection, request);
}

void AdminService::ask(Connection& connection, spool_admin::Act& request) {
  request.uid = connection.uid;
  ask_spool(connection, request);
}

void AdminService::ask(Connection& connection, qmgr::Flush& request) {
  if (request.site.size() > qmgr::kLongestSite) {
    return answer(connection.request, admin::Done{"no site has so long a name"});
  }
  if (!qmgr_) return answer(connection.request, admin::Done{"qmgr is not running just now; try again"});
  connection.asks_qmgr = true;
  request.request = connection.request;
  qmgr_->send(request);
}

template <class Frame>
void AdminService::ask_spool(Connection& connection, Frame& frame) {
  if (!spool_) return answer(connection.request, admin::Done{"the spool is not running just now; try again"});
  connection.asks_spool = true;
  frame.request = connection.request;
  spool_->send(frame);
}

AdminService::Connection* AdminService::asker(std::uint64_t request) {
  if (request == 0) return nullptr;
  const auto found =
      std::ranges::find_if(connections_, [&](const auto& entry) { return entry.second.request == request; });
  return found == connections_.end() ? nullptr : &found->second;
}

/// The status under way for this request; an answer that comes too late has none.
AdminService::Gathering* AdminService::gathering(std::uint64_t request) {
  auto* connection = asker(request);
  return connection == nullptr ? nullptr : connection->status.get();
}

template <class Reply>
void AdminService::answer(std::uint64_t request, const Reply& reply) {
  if (auto* connection = asker(request)) {
    connection->request = 0;
    connection->asks_spool = connection->asks_qmgr = false;
    connection->unfinished.reset();
    connection->client->send(reply);
  }
}

void AdminService::maybe_answer_status(Connection& connection) {
  const auto& status = *connection.status;
  if (status.counts_missing || status.messages_missing || status.processes_missing) return;
  answer_status(connection);
}

void AdminService::answer_status(Connection& connection) {
  const auto status = std::exchange(connection.status, {});
  answer(connection.request, status->reply);
}

void AdminService::from_master(control::ToService&& frame, std::vector<UniqueFd>&& /*descriptors*/) {
  if (auto* answered = std::get_if<control::StatusAnswer>(&frame)) {
    auto* status = gathering(answered->request);
    if (status == nullptr) return;
    status->reply.processes = std::move(answered->processes);
    status->reply.left_out = answered->left_out;
    status->processes_missing = false;
    maybe_answer_status(*asker(answered->request));
  } else if (auto* run = std::get_if<control::RunAnswer>(&frame)) {
    answer(run->request, admin::Done{std::move(run->refused)});
  }
}

void AdminService::peer(Compartment row, std::uint32_t, UniqueFd socket) {
  if (row == Compartment::spool) {
    connect_spool(std::move(socket));
  } else if (row == Compartment::qmgr) {
    connect_qmgr(std::move(socket));
  }
}

void AdminService::connect_spool(UniqueFd socket) {
  spool_gone();  // its end may come to light after its successor's channel
  const auto count = [this](const spool_admin::Counted& counted) {
    auto* status = gathering(counted.request);
    if (status == nullptr) return;
    status->reply.messages = counted.messages;
    status->messages_missing = false;
    maybe_answer_status(*asker(counted.request));
  };
  spool_ = std::make_unique<Spool>(
      context_.loop, std::move(socket), FrameLimits{.max_frame = spool_admin::kMaxFrame}, context_.traffic,
      Spool::Handlers{
          [this, count](spool_admin::FromSpool&& frame) -> Result<void> {
            std::visit(Overloaded{count,
                                  [this](spool_admin::Listed& listed) {
                                    std::vector<QueueId> ids;
                                    for (const auto& entry : listed.entries) ids.push_back(entry.id);
                                    ask_next(std::move(listed), std::move(ids));
                                  },
                                  [this](spool_admin::Shown& shown) {
                                    std::vector<QueueId> ids;
                                    if (shown.entry) ids.push_back(shown.entry->id);
                                    ask_next(std::move(shown), std::move(ids));
                                  },
                                  [this](const spool_admin::Acted& acted) { answer(acted.request, acted); }},
                       frame);
            return {};
          },
          [this](const Error& why) { spool_closed(why); }});
}

void AdminService::spool_closed(const Error& why) {
  context_.channel_closed(Compartment::spool, why, true);
  spool_gone();
}

/// Questions to the spool that ended are answered by us: nothing was changed that it did not say.
void AdminService::spool_gone() {
  spool_.reset();
  for (auto& [number, connection] : connections_) {
    if (connection.asks_spool) {
      answer(connection.request, admin::Done{"the spool ended before it answered; try again"});
    } else if (connection.status && std::exchange(connection.status->messages_missing, false)) {
      maybe_answer_status(connection);
    }
  }
}

void AdminService::connect_qmgr(UniqueFd socket) {
  qmgr_gone();
  qmgr_ = std::make_unique<Qmgr>(context_.loop, std::move(socket), FrameLimits{.max_frame = qmgr::kMaxFrame},
                                 context_.traffic,
                                 Qmgr::Handlers{[this](qmgr::FromQmgr&& frame) -> Result<void> {
                                                  from_qmgr(std::move(frame));
                                                  return {};
                                                },
                                                [this](const Error& why) { qmgr_closed(why); }});
}

void AdminService::from_qmgr(qmgr::FromQmgr&& frame) {
  std::visit(Overloaded{[this](const qmgr::Counts& counts) {
                          auto* status = gathering(counts.request);
                          if (status == nullptr) return;
                          status->reply.queue = counts;
                          status->counts_missing = false;
                          maybe_answer_status(*asker(counts.request));
                        },
                        [this](const qmgr::Flushed& flushed) { answer(flushed.request, flushed); },
                        [this](const qmgr::NextAttempts& next) {
                          if (auto* connection = asker(next.request)) fill_in(*connection, next);
                        }},
             frame);
}

/// What spool said of messages is completed by qmgr, which alone knows their time; without it they have none.
template <class Reply>
void AdminService::ask_next(Reply&& reply, std::vector<QueueId> ids) {
  auto* connection = asker(reply.request);
  if (connection == nullptr) return;
  if (!qmgr_ || ids.empty()) return answer(reply.request, reply);
  connection->asks_spool = false;
  connection->unfinished = std::forward<Reply>(reply);
  qmgr_->send(qmgr::AskNext{connection->request, std::move(ids)});
}

void AdminService::fill_in(Connection& connection, const qmgr::NextAttempts& next) {
  if (!connection.unfinished) return;
  auto unfinished = std::move(*connection.unfinished);
  const auto complete = [&](spool_admin::Entry& entry) {
    const auto at = std::ranges::find(next.messages, entry.id, &qmgr::Next::id);
    if (at == next.messages.end()) return;
    entry.next = at->at;
    entry.because = at->because;
  };
  std::visit(Overloaded{[&](spool_admin::Listed& listed) { std::ranges::for_each(listed.entries, complete); },
                        [&](spool_admin::Shown& shown) {
                          if (shown.entry) complete(*shown.entry);
                        }},
             unfinished);
  std::visit([&](const auto& reply) { answer(connection.request, reply); }, unfinished);
}

void AdminService::qmgr_closed(const Error& why) {
  context_.channel_closed(Compartment::qmgr, why, true);
  qmgr_gone();
}

void AdminService::qmgr_gone() {
  qmgr_.reset();
  for (auto& [number, connection] : connections_) {
    if (connection.status && std::exchange(connection.status->counts_missing, false)) {
      maybe_answer_status(connection);
    } else if (connection.unfinished) {
      fill_in(connection, {});
    } else if (connection.asks_qmgr) {
      answer(connection.request, admin::Done{"qmgr ended before it answered; try again"});
    }
  }
}

Result<void> AdminService::new_slice(std::string_view bytes, bool commit) {
  const auto slice = decode<config::AdminSlice>(bytes);
  if (!slice) return fail(ErrorClass::peer, "admin's slice is malformed");
  if (commit) slice_ = *slice;
  return {};
}

std::vector<control::Counter> AdminService::counters() {
  return {{"connections", connections_.size()}, {"refused", refused_}, {"turned_away", turned_away_}};
}

void AdminService::drain(bool) {
  context_.exit();
}

}  // namespace sternpost

#include "service/router/router_service.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "service/router/settings.h"

namespace sternpost::router {
namespace {

/// The most recipients in one Routed frame: with their rules it stays within kMaxFrame.
constexpr std::size_t kMaxRouted = 500;

/// The answers to one Route, gathered until all are there.
struct RouteJob {
  QueueId id;
  std::vector<RoutedRecipient> recipients;
  std::size_t outstanding = 0;
};

template <class C>
void send_routed(C& channel, RouteJob& job) {
  for (std::size_t from = 0; from < job.recipients.size(); from += kMaxRouted) {
    const auto count = std::min(kMaxRouted, job.recipients.size() - from);
    const auto begin = std::make_move_iterator(job.recipients.begin() + static_cast<std::ptrdiff_t>(from));
    channel.send(Routed{job.id, {begin, begin + static_cast<std::ptrdiff_t>(count)}});
  }
}

route::UserState to_state(users::Answer answer) {
  switch (answer) {
    case users::Answer::found:
      return route::UserState::exists;
    case users::Answer::unknown:
      return route::UserState::unknown;
    case users::Answer::unavailable:
      break;
  }
  return route::UserState::unavailable;
}

SteadyTime steady_now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

Result<std::unique_ptr<Service>> RouterService::make(ServiceContext&& context) {
  auto slice = decode<config::RouterSlice>(context.slice);
  if (!slice) return fail(ErrorClass::internal, "the configuration slice is malformed");
  auto router = route::Router::make(to_settings(std::move(*slice)));
  if (!router) return fail_with(std::move(router));
  return std::make_unique<RouterService>(std::move(context), std::move(*router));
}

RouterService::RouterService(ServiceContext&& context, route::Router router)
    : context_(std::move(context)),
      router_(std::move(router)),
      timer_(context_.loop),
      act_at_end_(context_.loop, [this] { act(); }) {}

void RouterService::peer(Compartment row, std::uint32_t /*instance*/, UniqueFd socket) {
  if (row == Compartment::smtpd) {
    connect(intakes_, row, std::move(socket));
  } else if (row == Compartment::qmgr) {
    connect(qmgrs_, row, std::move(socket));
  } else if (row == Compartment::users) {
    connect_users(std::move(socket));
  }
}

template <class In, class Out>
void RouterService::connect(std::list<std::shared_ptr<Channel<In, Out>>>& channels, Compartment row,
                            UniqueFd socket) {
  using Peer = Channel<In, Out>;
  const auto at = channels.emplace(channels.end());
  *at = std::make_shared<Peer>(context_.loop, std::move(socket), FrameLimits{.max_frame = kMaxFrame},
                               context_.traffic,
                               typename Peer::Handlers{.on_frame = [this, at](In&& frame) -> Result<void> {
                                                         this->take_question(*at, std::move(frame));
                                                         return {};
                                                       },
                                                       .on_closed =
                                                           [this, at, row, &channels](const Error& why) {
                                                             context_.channel_closed(row, why, false);
                                                             channels.erase(at);
                                                           }});
}

void RouterService::connect_users(UniqueFd socket) {
  asked_.clear();
  users_ = std::make_unique<UsersChannel>(
      context_.loop, std::move(socket), FrameLimits{.max_frame = users::kMaxFrame}, context_.traffic,
      UsersChannel::Handlers{.on_frame =
                                 [this](users::FromUsers&& frame) {
                                   return take_answer(std::move(std::get<users::Found>(frame)));
                                 },
                             .on_closed =
                                 [this](const Error& why) {
                                   context_.channel_closed(Compartment::users, why, true);
                                   asked_.clear();
                                   users_.reset();
                                 }});
  (void)inquiries_.take_wanted();
  ask_users(inquiries_.all_wanted());
}

void RouterService::ask_users(const std::vector<std::string>& names) {
  if (!users_) return;
  for (const auto& name : names) {
    // users does not answer; what is not asked ends as unavailable, as what is asked would.
    if (asked_.size() >= Inquiries::kMaxWaiting) return;
    asked_.emplace(next_request_, name);
    users_->send(users::Lookup{next_request_++, name});
  }
}

void RouterService::take_question(const std::shared_ptr<IntakeChannel>& channel, FromIntake&& frame) {
  ++verified_;
  auto& verify = std::get<Verify>(frame);
  inquiries_.ask([this, client = std::move(verify.client_address), recipient = std::move(verify.recipient)](
                     const route::KnownUsers& known) { return router_.verify(client, recipient, known); },
                 [weak = std::weak_ptr(channel), request = verify.request](route::Ruling&& ruling) {
                   if (const auto to = weak.lock())
                     to->send(Verdict{request, std::move(ruling.reply), std::move(ruling.rule)});
                 },
                 steady_now());
  act_at_end_.schedule();
}

void RouterService::take_question(const std::shared_ptr<QmgrChannel>& channel, FromQmgr&& frame) {
  auto& route = std::get<Route>(frame);
  const auto job = std::make_shared<RouteJob>(RouteJob{route.id, {}, route.recipients.size()});
  job->recipients.reserve(route.recipients.size());
  for (auto& recipient : route.recipients) {
    ++routed_;
    inquiries_.ask(
        [this, address = std::move(recipient.address)](const route::KnownUsers& known) {
          return router_.route(address, known);
        },
        [weak = std::weak_ptr(channel), job, index = recipient.index](route::Ruling&& ruling) {
          job->recipients.push_back({index, std::move(ruling.reply), spool_qmgr::Agent::virtual_mailbox,
                                     std::move(ruling.site), std::move(ruling.rule)});
          if (--job->outstanding > 0) return;
          if (const auto to = weak.lock()) send_routed(*to, *job);
        },
        steady_now());
  }
  act_at_end_.schedule();
}

Result<void> RouterService::take_answer(users::Found&& found) {
  const auto asked = asked_.extract(found.request);
  if (asked.empty()) return fail(ErrorClass::peer, "an answer to no question");
  inquiries_.learned(asked.mapped(), to_state(found.answer), steady_now());
  act_at_end_.schedule();
  return {};
}

void RouterService::act() {
  inquiries_.expire(steady_now());
  if (users_) ask_users(inquiries_.take_wanted());
  const auto next = inquiries_.next_expiry();
  if (!next) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(*next);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) act();
  });
}

void RouterService::drain(bool /*urgent*/) {
  // Whoever asked something here asks the successor again; no question changes anything.
  timer_.cancel();
  intakes_.clear();
  qmgrs_.clear();
  users_.reset();
  context_.exit();
}

std::vector<control::Counter> RouterService::counters() {
  return {{"verified", verified_}, {"routed", routed_}};
}

}  // namespace sternpost::router

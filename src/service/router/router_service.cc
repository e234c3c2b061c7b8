#include "service/router/router_service.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/dns_name.h"
#include "service/router/settings.h"

namespace sternpost::router {
namespace {

/// What one Routed frame carries, in octets, but for one recipient more.
constexpr std::size_t kRoutedBytes = 256UL * 1024;

/// Answers that wait for who asked: one look-up may answer all that wait at once, each with a site of its own
/// length. Nobody who asks what he may ask loses his channel for it.
constexpr std::size_t kMaxUnsent = Inquiries::kMaxWaiting * (route::kMaxSiteText + 1024);

template <class C>
void send_routed(C& channel, QueueId id, std::uint32_t generation,
                 std::vector<RoutedRecipient>&& recipients) {
  Routed routed{id, {}, generation};
  std::size_t bytes = 0;
  for (auto& recipient : recipients) {
    bytes += sizeof(recipient) + recipient.site.size() + recipient.reply.text.size() +
             recipient.rule.name.size() + recipient.rule.file.size();
    routed.recipients.push_back(std::move(recipient));
    if (bytes < kRoutedBytes) continue;
    channel.send(routed);
    routed.recipients.clear();
    bytes = 0;
  }
  if (!routed.recipients.empty()) channel.send(routed);
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

route::LookupOutcome to_outcome(dns::Outcome outcome) {
  switch (outcome) {
    case dns::Outcome::found:
      return route::LookupOutcome::found;
    case dns::Outcome::no_data:
      return route::LookupOutcome::no_data;
    case dns::Outcome::no_name:
      return route::LookupOutcome::no_name;
    case dns::Outcome::bogus:
      return route::LookupOutcome::bogus;
    case dns::Outcome::unavailable:
      break;
  }
  return route::LookupOutcome::unavailable;
}

route::MxAnswer to_mx(dns::Answer&& answer) {
  route::MxAnswer mx{to_outcome(answer.outcome), answer.secure, {}, std::move(answer.why)};
  mx.hosts.reserve(answer.mx.size());
  for (auto& record : answer.mx) mx.hosts.push_back({record.preference, std::move(record.host)});
  return mx;
}

spool_qmgr::Agent to_wire(route::Agent agent) {
  switch (agent) {
    case route::Agent::smtp:
      return spool_qmgr::Agent::smtp;
    case route::Agent::virtual_mailbox:
      break;
  }
  return spool_qmgr::Agent::virtual_mailbox;
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
  } else if (row == Compartment::dns) {
    connect_dns(std::move(socket));
  }
}

template <class In, class Out>
void RouterService::connect(std::list<std::shared_ptr<Channel<In, Out>>>& channels, Compartment row,
                            UniqueFd socket) {
  using Peer = Channel<In, Out>;
  const auto at = channels.emplace(channels.end());
  *at =
      std::make_shared<Peer>(context_.loop, std::move(socket),
                             FrameLimits{.max_frame = kMaxFrame, .max_unsent = kMaxUnsent}, context_.traffic,
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
  asked_users_.clear();
  users_ = std::make_unique<UsersChannel>(
      context_.loop, std::move(socket), FrameLimits{.max_frame = users::kMaxFrame}, context_.traffic,
      UsersChannel::Handlers{.on_frame =
                                 [this](users::FromUsers&& frame) {
                                   return take_answer(std::move(std::get<users::Found>(frame)));
                                 },
                             .on_closed =
                                 [this](const Error& why) {
                                   context_.channel_closed(Compartment::users, why, true);
                                   asked_users_.clear();
                                   users_.reset();
                                 }});
  std::ignore = inquiries_.take_wanted(Topic::Of::user);
  ask_users(inquiries_.all_wanted(Topic::Of::user));
}

void RouterService::connect_dns(UniqueFd socket) {
  asked_dns_.clear();
  dns_ = std::make_unique<DnsChannel>(
      context_.loop, std::move(socket), FrameLimits{.max_frame = dns::kMaxFrame}, context_.traffic,
      DnsChannel::Handlers{
          .on_frame =
              [this](dns::FromDns&& frame) { return take_answer(std::move(std::get<dns::Answer>(frame))); },
          .on_closed =
              [this](const Error& why) {
                context_.channel_closed(Compartment::dns, why, true);
                asked_dns_.clear();
                dns_.reset();
              }});
  std::ignore = inquiries_.take_wanted(Topic::Of::mx);
  ask_dns(inquiries_.all_wanted(Topic::Of::mx));
}

void RouterService::ask_users(const std::vector<std::string>& names) {
  if (!users_) return;
  for (const auto& name : names) {
    // users does not answer; what is not asked ends as unavailable, as what is asked would.
    if (asked_users_.size() >= Inquiries::kMaxWaiting) return;
    asked_users_.emplace(next_request_, name);
    users_->send(users::Lookup{next_request_++, name});
  }
}

void RouterService::ask_dns(const std::vector<std::string>& names) {
  if (!dns_) return;
  for (const auto& name : names) {
    if (asked_dns_.size() >= Inquiries::kMaxWaiting) return;
    if (name.size() > kLongestDnsName) {
      inquiries_.learned({Topic::Of::mx, name}, route::MxAnswer{route::LookupOutcome::no_name, false, {}, {}},
                         steady_now());
      continue;
    }
    asked_dns_.emplace(next_request_, name);
    dns_->send(dns::Lookup{next_request_++, dns::Kind::mx, name});
  }
}

void RouterService::take_question(const std::shared_ptr<IntakeChannel>& channel, FromIntake&& frame) {
  ++verified_;
  auto& verify = std::get<Verify>(frame);
  inquiries_.ask([this, client = std::move(verify.client_address), recipient = std::move(verify.recipient)](
                     const route::Known& known) { return router_.verify(client, recipient, known); },
                 [weak = std::weak_ptr(channel), request = verify.request](route::Ruling&& ruling) {
                   if (const auto to = weak.lock())
                     to->send(Verdict{request, std::move(ruling.reply), std::move(ruling.rule)});
                 },
                 steady_now());
  act_at_end_.schedule();
}

void RouterService::take_question(const std::shared_ptr<QmgrChannel>& channel, FromQmgr&& frame) {
  auto& route = std::get<Route>(frame);
  const auto job =
      std::make_shared<RouteJob>(RouteJob{route.id, route.generation, channel, route.recipients.size(), {}});
  for (auto& recipient : route.recipients) {
    ++routed_;
    inquiries_.ask([this, address = std::move(recipient.address)](
                       const route::Known& known) { return router_.route(address, known); },
                   [this, job, index = recipient.index](route::Ruling&& ruling) {
                     answer(job, index, std::move(ruling));
                   },
                   steady_now());
  }
  act_at_end_.schedule();
}

Result<void> RouterService::take_answer(users::Found&& found) {
  const auto asked = asked_users_.extract(found.request);
  if (asked.empty()) return fail(ErrorClass::peer, "an answer to no question");
  inquiries_.learned({Topic::Of::user, asked.mapped()}, to_state(found.answer), steady_now());
  act_at_end_.schedule();
  return {};
}

Result<void> RouterService::take_answer(dns::Answer&& answer) {
  const auto asked = asked_dns_.extract(answer.request);
  if (asked.empty()) return fail(ErrorClass::peer, "an answer to no question");
  inquiries_.learned({Topic::Of::mx, asked.mapped()}, to_mx(std::move(answer)), steady_now());
  act_at_end_.schedule();
  return {};
}

void RouterService::answer(const std::shared_ptr<RouteJob>& job, std::uint32_t index,
                           route::Ruling&& ruling) {
  --job->open;
  if (job->ready.empty() || job->open == 0) answered_.push_back(job);
  job->ready.push_back({index, std::move(ruling.reply), to_wire(ruling.agent), std::move(ruling.site),
                        std::move(ruling.rule)});
}

void RouterService::send_answers(SteadyTime now) {
  const auto send = [](RouteJob& job) {
    auto ready = std::exchange(job.ready, {});
    if (const auto to = job.asker.lock()) send_routed(*to, job.id, job.generation, std::move(ready));
  };
  for (auto& job : std::exchange(answered_, {})) {
    if (job->open == 0) {
      send(*job);
    } else {
      gathering_.push_back({now + kGathering, std::move(job)});
    }
  }
  while (!gathering_.empty() && (gathering_.front().until <= now || gathering_.front().job->ready.empty())) {
    send(*gathering_.front().job);
    gathering_.pop_front();
  }
}

std::optional<SteadyTime> RouterService::next_time() const {
  const auto next = inquiries_.next_expiry();
  if (gathering_.empty()) return next;
  const auto until = gathering_.front().until;
  return next ? std::min(*next, until) : until;
}

void RouterService::act() {
  const auto now = steady_now();
  inquiries_.expire(now);
  if (users_) ask_users(inquiries_.take_wanted(Topic::Of::user));
  if (dns_) ask_dns(inquiries_.take_wanted(Topic::Of::mx));
  send_answers(now);
  const auto next = next_time();
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
  dns_.reset();
  context_.exit();
}

std::vector<control::Counter> RouterService::counters() {
  return {{"verified", verified_}, {"routed", routed_}};
}

}  // namespace sternpost::router

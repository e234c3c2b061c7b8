#include "service/smtp/smtp_service.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/dns_name.h"
#include "route/host_port.h"
#include "runtime/agent/content_file.h"
#include "service/smtp/records.h"

namespace sternpost::smtp_client {
namespace {

using std::chrono::seconds;

constexpr std::size_t kReadBuffer = 64UL * 1024;
constexpr seconds kSweepInterval{1};

SteadyTime steady_now() {
  return std::chrono::steady_clock::now();
}

smtp::ClientLimits limits_of(const config::SmtpSlice& slice, smtp::ClientProtocol protocol) {
  smtp::ClientLimits limits;
  limits.helo = slice.hostname;
  limits.protocol = protocol;
  limits.greeting = limits.hello = limits.mail = limits.rcpt = seconds(slice.reply_seconds);
  limits.data_init = seconds(slice.data_seconds);
  limits.data_block = seconds(slice.data_seconds + slice.data_seconds / 2);
  limits.data_end = seconds(slice.final_seconds);
  limits.reset = std::min(limits.reset, limits.mail);
  return limits;
}

}  // namespace

Result<std::unique_ptr<Service>> SmtpService::make(ServiceContext&& context) {
  auto slice = decode<config::SmtpSlice>(context.slice);
  if (!slice) return fail(ErrorClass::internal, "the configuration slice is malformed");
  return std::make_unique<SmtpService>(std::move(context), std::move(*slice));
}

SmtpService::SmtpService(ServiceContext&& context, config::SmtpSlice slice)
    : context_(std::move(context)),
      slice_(std::move(slice)),
      smtp_limits_(limits_of(slice_, smtp::ClientProtocol::smtp)),
      lmtp_limits_(limits_of(slice_, smtp::ClientProtocol::lmtp)),
      read_buffer_(kReadBuffer),
      dns_(context_),
      own_(slice_.own),
      random_(std::random_device{}()),
      begin_at_end_(context_.loop, [this] { begin_jobs(); }),
      sweep_timer_(context_.loop),
      drain_timer_(context_.loop) {}

SmtpService::~SmtpService() {
  for (auto& [number, used] : connections_) used.connection->detach();
}

// Spool.

void SmtpService::peer(Compartment row, std::uint32_t /*instance*/, UniqueFd socket) {
  if (row == Compartment::spool) {
    connect_spool(std::move(socket));
  } else if (row == Compartment::dns) {
    dns_.connect(std::move(socket));
  }
}

void SmtpService::connect_spool(UniqueFd socket) {
  spool_ = std::make_unique<SpoolChannel>(
      context_.loop, std::move(socket), FrameLimits{.max_frame = spool_agent::kMaxFrame}, context_.traffic,
      SpoolChannel::Handlers{
          .on_frame = [this](spool_agent::ToAgent&& frame) { return from_spool(std::move(frame)); },
          .on_closed =
              [this](const Error& why) {
                context_.channel_closed(Compartment::spool, why, true);
                spool_.reset();
              }});
  for (const auto& in_hand : desk_.announce()) spool_->send(in_hand);
  for (const auto& outcome : desk_.unacknowledged()) spool_->send(outcome);
}

Result<void> SmtpService::from_spool(spool_agent::ToAgent&& frame) {
  return std::visit(Overloaded{[&](spool_agent::Piece& piece) { return desk_.take_piece(std::move(piece)); },
                               [&](spool_agent::Job& job) {
                                 begin_at_end_.schedule();
                                 return desk_.take_job(std::move(job));
                               },
                               [&](spool_agent::Recorded& recorded) { return take_recorded(recorded); }},
                    frame);
}

Result<void> SmtpService::take_recorded(const spool_agent::Recorded& recorded) {
  if (auto taken = desk_.recorded(recorded.jobs); !taken) return taken;
  for (const auto number : recorded.jobs) {
    const auto node = finished_.extract(number);
    for (auto& record : to_records(node.mapped())) context_.records.record(std::move(record));
  }
  exit_if_drained();
  return {};
}

/// Of those with a file one at a time, for each is read from its first octet to the last.
void SmtpService::begin_jobs() {
  bool read_file = false;
  while (desk_.next() != nullptr && !read_file) {
    auto job = desk_.begin();
    read_file = job.job.file.has_value();
    begin_job(std::move(job));
  }
  if (desk_.next() != nullptr) begin_at_end_.schedule();
}

void SmtpService::begin_job(WaitingJob&& job) {
  auto site = route::parse_site(job.job.site);
  const bool known = site.has_value();
  const auto attempt =
      std::make_shared<Attempt>(std::move(job), known ? std::move(*site) : route::Site{}, wall_now());
  const auto measured = attempt->measure();
  if (!measured) {
    if (const auto told = to_unreadable(attempt->job(), measured.error())) return unreadable(*told);
  }
  if (measured && known) return start(attempt);
  attempt->give_up(known ? mail::Reply{451, {4, 3, 0}, measured.error().text}
                         : mail::Reply{451, {4, 3, 5}, "the route is not understood"});
  end(attempt);
}

/// Nothing was tried. Spool keeps the message; where it is away, it hands the job out again.
void SmtpService::unreadable(const spool_agent::Unreadable& told) {
  desk_.forget(told.job);
  if (spool_) spool_->send(told);
  exit_if_drained();
}

/// The attempt is over: its outcomes go to spool.
void SmtpService::end(const AttemptPtr& attempt) {
  auto job = attempt->take_finished();
  auto outcome = to_outcome(job);
  delivered_ += static_cast<std::uint64_t>(std::ranges::count(
      outcome.recipients, mail::Disposition::delivered, &mail::RecipientOutcome::disposition));
  finished_.insert_or_assign(job.job, std::move(job));
  if (spool_) spool_->send(outcome);
  desk_.finish(std::move(outcome));
}

// Connections.

void SmtpService::start(const AttemptPtr& attempt) {
  start_sweeping();
  if (auto* used = idle_connection(attempt->site_text())) {
    ++reused_;
    return use(*used, attempt);
  }
  if (!make_room()) {
    waiting_.push_back(attempt);
    return;
  }
  if (attempt->has_itinerary()) return connect_next(attempt);
  resolve(attempt);
}

/// Whether one more connection may be opened; one that is idle makes way for it.
bool SmtpService::make_room() {
  if (connections_.size() < slice_.max_sessions) return true;
  for (auto& [site, numbers] : idle_) {
    if (numbers.empty()) continue;
    connections_.at(numbers.front()).connection->quit();
    numbers.erase(numbers.begin());
    break;
  }
  return false;
}

SmtpService::Used* SmtpService::idle_connection(const std::string& site) {
  const auto at = idle_.find(site);
  if (at == idle_.end() || at->second.empty()) return nullptr;
  const auto number = at->second.back();
  at->second.pop_back();
  if (at->second.empty()) idle_.erase(at);
  return &connections_.at(number);
}

void SmtpService::use(Used& used, const AttemptPtr& attempt) {
  used.attempt = attempt;
  used.connection->deliver(attempt->delivery(), attempt->content());
}

void SmtpService::resolve(const AttemptPtr& attempt) {
  const auto& hosts = attempt->site().hosts;
  auto gathering = std::make_shared<Gathering>(Gathering{attempt, {}, hosts.size() + 1});
  gathering->hosts.resize(hosts.size());
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    const bool needs_dns =
        attempt->site().kind != route::SiteKind::local && !route::normalize_ip(hosts[i].name);
    if (!needs_dns) {
      gathering->hosts[i] = {dns::Outcome::found, {hosts[i].name}, {}};
      --gathering->outstanding;
    } else if (hosts[i].name.size() > kLongestDnsName) {
      gathering->hosts[i] = {dns::Outcome::no_name, {}, {}};
      --gathering->outstanding;
    } else {
      dns_.ask(
          hosts[i].name,
          [this, gathering, i](dns::Answer&& answer) {
            gathering->hosts[i] = {answer.outcome, std::move(answer.addresses), std::move(answer.why)};
            if (--gathering->outstanding == 0) resolved(gathering);
          },
          steady_now());
    }
  }
  if (--gathering->outstanding == 0) resolved(gathering);
}

void SmtpService::resolved(const std::shared_ptr<Gathering>& gathering) {
  const auto& attempt = gathering->attempt;
  auto endpoints = plan_itinerary(
      attempt->site(), gathering->hosts,
      {[this](std::string_view address, std::uint16_t port) { return own_.include(address, port); },
       [this](const Endpoint& endpoint) { return down_.is_down(to_string(endpoint), steady_now()); },
       [this](std::size_t below) { return choose(below); }});
  if (!endpoints) {
    attempt->give_up(endpoints.error());
    return end(attempt);
  }
  attempt->set_itinerary(std::move(*endpoints));
  // Others may have come to an end meanwhile, or taken the last place.
  start(attempt);
}

void SmtpService::connect_next(const AttemptPtr& attempt) {
  const auto* endpoint = attempt->next_endpoint();
  if (endpoint == nullptr) {
    attempt->give_up_after_last();
    return end(attempt);
  }
  const auto& limits = attempt->site().protocol == route::SiteProtocol::lmtp ? lmtp_limits_ : smtp_limits_;
  const auto number = next_connection_++;
  ConnectionHost& host = *this;
  auto connection = std::make_shared<Connection>(context_.loop, host, number, *endpoint, limits);
  attempt->take_endpoint();
  ++opened_;
  auto& used = connections_[number];
  used = {connection, attempt->site_text(), nullptr, true};
  use(used, attempt);
  if (connection->endpoint().port == 0) {
    connect_local(connection);
  } else {
    connection->open(seconds(slice_.connect_seconds));
  }
}

/// This process makes no Unix-domain sockets: master connects the ones that the configuration names.
void SmtpService::connect_local(const ConnectionPtr& connection) {
  asked_master_.emplace(connection->number(), connection);
  connection->await_socket(seconds(slice_.connect_seconds));
  context_.tell_master(control::AskConnect{connection->number(), connection->endpoint().address});
}

void SmtpService::from_master(control::ToService&& frame, std::vector<UniqueFd>&& descriptors) {
  auto* answer = std::get_if<control::ConnectAnswer>(&frame);
  if (answer == nullptr) return;
  const auto asked = asked_master_.extract(answer->request);
  if (asked.empty()) return;
  asked.mapped()->adopt(descriptors.empty() ? UniqueFd() : std::move(descriptors.front()), answer->refused);
}

/// What listens on all addresses of this host is known by the connection's two ends.
bool SmtpService::reached(Connection& connection) {
  const auto& endpoint = connection.endpoint();
  down_.reached(to_string(endpoint));
  const bool own = endpoint.port != 0 && connection.to_this_host() && own_.everywhere(endpoint.port);
  connections_.at(connection.number()).own = own;
  return !own;
}

void SmtpService::finished(Connection& connection, smtp::Finished&& result) {
  auto& used = connections_.at(connection.number());
  const auto attempt = std::exchange(used.attempt, nullptr);
  const bool lost =
      std::ranges::any_of(result.recipients, [](const auto& one) { return one.scope == smtp::Scope::host; });
  if (used.own) {
    attempt->came_back(connection.endpoint());
  } else {
    if (lost && used.fresh && !connection.failed_here())
      down_.failed(to_string(connection.endpoint()), steady_now());
    attempt->take_result(std::move(result), connection.endpoint(), connection.transcript());
  }
  used.fresh = false;
  if (attempt->done()) {
    end(attempt);
  } else {
    // Perhaps an idle connection of the site is left, or the hosts are to be looked up first.
    start(attempt);
  }
  go_on(used);
}

/// The connection has delivered, and takes the next job of its site if there is one.
void SmtpService::go_on(Used& used) {
  auto& connection = *used.connection;
  if (!connection.idle()) return;  // closed() follows
  if (connection.deliveries() >= slice_.max_messages || draining_) return connection.quit();
  const auto next = std::ranges::find_if(
      waiting_, [&](const AttemptPtr& attempt) { return attempt->site_text() == used.site; });
  if (next != waiting_.end()) {
    const auto attempt = *next;
    waiting_.erase(next);
    ++reused_;
    return use(used, attempt);
  }
  if (!waiting_.empty() || slice_.idle_seconds == 0) return connection.quit();
  connection.idle_since = steady_now();
  idle_[used.site].push_back(connection.number());
}

void SmtpService::closed(Connection& connection) {
  const auto number = connection.number();
  asked_master_.erase(number);
  const auto node = connections_.extract(number);
  if (!node.empty()) {
    if (const auto at = idle_.find(node.mapped().site); at != idle_.end()) {
      std::erase(at->second, number);
      if (at->second.empty()) idle_.erase(at);
    }
  }
  serve_waiting();
  exit_if_drained();
}

/// One may come to its end without a connection, and then nothing but this would start those behind it.
void SmtpService::serve_waiting() {
  while (!waiting_.empty() && connections_.size() < slice_.max_sessions) {
    const auto attempt = waiting_.front();
    waiting_.pop_front();
    start(attempt);
  }
}

std::size_t SmtpService::choose(std::size_t below) {
  return std::uniform_int_distribution<std::size_t>(0, below - 1)(random_);
}

// Time.

/// One timer for the whole process, which runs only while there is something to wait for.
void SmtpService::start_sweeping() {
  if (std::exchange(sweeping_, true)) return;
  sweep_timer_.expires_after(kSweepInterval);
  sweep_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    sweeping_ = false;
    sweep();
  });
}

void SmtpService::sweep() {
  const auto now = steady_now();
  dns_.sweep(now);
  std::vector<ConnectionPtr> all;
  all.reserve(connections_.size());
  for (const auto& [number, used] : connections_) all.push_back(used.connection);
  for (const auto& connection : all) connection->sweep(now);
  std::vector<std::uint64_t> tired;
  for (auto& [site, numbers] : idle_) {
    std::erase_if(numbers, [&](std::uint64_t number) {
      const bool long_enough =
          now - connections_.at(number).connection->idle_since >= seconds(slice_.idle_seconds);
      if (long_enough) tired.push_back(number);
      return long_enough;
    });
  }
  std::erase_if(idle_, [](const auto& entry) { return entry.second.empty(); });
  for (const auto number : tired) connections_.at(number).connection->quit();
  if (!connections_.empty() || !dns_.idle() || !waiting_.empty()) start_sweeping();
}

void SmtpService::drain(bool urgent) {
  draining_ = true;
  for (const auto& [site, numbers] : std::exchange(idle_, {})) {
    for (const auto number : numbers) connections_.at(number).connection->quit();
  }
  exit_if_drained();
  if (!urgent) return;
  drain_timer_.expires_after(kUrgentPatience);
  drain_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) context_.exit();
  });
}

void SmtpService::exit_if_drained() {
  if (draining_ && desk_.idle()) context_.exit();
}

std::vector<control::Counter> SmtpService::counters() {
  return {{"delivered", delivered_},
          {"connections", connections_.size()},
          {"connections_opened", opened_},
          {"connections_reused", reused_},
          {"jobs_in_hand", desk_.jobs()}};
}

}  // namespace sternpost::smtp_client

#include "service/smtpd/smtpd_service.h"

#include <fmt/format.h>

#include <chrono>
#include <cstring>
#include <utility>

#include "service/smtpd/client_address.h"

namespace sternpost::smtpd {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

/// A shortage that lasts is recorded once in this time.
constexpr auto kShortageRecords = 60s;
/// What a client waits for its 354 when the queue is pressed.
constexpr auto kSlowDelay = 1s;
constexpr std::size_t kReadBytes = 64UL << 10U;
static_assert(2 * kReadBytes <= FlowControl::kMostOfOneRead);
static_assert(spool_intake::kPieceBytes <= config::kInlineContent);
/// A text of a record is cut at 1,024 octets.
constexpr std::size_t kMostListed = 900;

/// Workers that started together do not retire together: each later one serves up to a quarter longer.
std::uint64_t with_jitter(std::uint64_t bound, std::uint32_t instance) {
  return bound + bound * (instance % 8) / 32;
}

/// Addresses with commas between, as many as a fact has room for.
std::string listed(const std::vector<mail::Mailbox>& recipients) {
  std::string text;
  for (std::size_t i = 0; i < recipients.size(); ++i) {
    const auto address = recipients[i].to_wire();
    if (text.size() + address.size() > kMostListed) {
      return text + fmt::format(", and {} more", recipients.size() - i);
    }
    if (i > 0) text += ", ";
    text += address;
  }
  return text;
}

}  // namespace

smtp::ServerLimits server_limits(const config::SmtpdSlice& slice) {
  smtp::ServerLimits limits;
  limits.hostname = slice.hostname;
  limits.max_message_bytes = slice.max_message_bytes;
  limits.max_recipients = slice.max_recipients;
  limits.max_command_line = slice.max_command_line;
  limits.max_text_line = slice.max_text_line;
  limits.max_commands = slice.max_commands;
  limits.max_errors = slice.max_errors;
  limits.max_messages = slice.max_messages;
  limits.max_hops = slice.max_hops;
  limits.piece_bytes = spool_intake::kPieceBytes;
  limits.normalize = slice.normalize;
  limits.rules = slice.rules;
  return limits;
}

Result<std::unique_ptr<Service>> make_service(ServiceContext&& context) {
  auto slice = decode<config::SmtpdSlice>(context.slice);
  if (!slice) return fail(ErrorClass::internal, "malformed slice");
  return std::make_unique<SmtpdService>(std::move(context), std::move(*slice));
}

SmtpdService::SmtpdService(ServiceContext&& context, config::SmtpdSlice&& slice)
    : context_(std::move(context)),
      slice_(std::move(slice)),
      limits_(server_limits(slice_)),
      process_name_(fmt::format("{:x}-{:x}", wall_now().microseconds, context_.instance)),
      read_buffer_(kReadBytes),
      router_(
          context_.loop, context_.traffic,
          {[this](const auto& question, const auto& reply, const auto& rule) {
             on_verdict(question, reply, rule);
           },
           [this](const Error& why, bool last) { context_.channel_closed(Compartment::router, why, last); }}),
      spool_(
          context_.loop, context_.traffic,
          {[this](SpoolLink::Sent&& message) { on_committed(std::move(message)); },
           [this](const SpoolLink::Sent& message, const auto& reply, const auto& rule) {
             on_not_committed(message, reply, rule);
           },
           [this] { grant_waiting_ids(); },
           [this] {
             if (!waiting_for_room_.empty()) resume_at_end_.schedule();
           },
           [this](const spool_intake::Pressure& pressure) { on_pressure(pressure); },
           [this](const Error& why, bool last) { context_.channel_closed(Compartment::spool, why, last); }}),
      resume_at_end_(context_.loop, [this] { resume_sessions(); }),
      sweep_timer_(context_.loop),
      retire_timer_(context_.loop),
      slow_timer_(context_.loop) {
  for (auto& listener : context_.listeners) {
    acceptors_.push_back(std::make_unique<Acceptor>(
        context_.loop, std::move(listener), context_.max_descriptors,
        Acceptor::Handlers{
            [this](UniqueFd socket, const sockaddr_storage& peer) { serve(std::move(socket), peer); },
            [this](int errno_value) { on_shortage(errno_value); }}));
  }
  retire_timer_.expires_after(std::chrono::seconds(with_jitter(slice_.retire_seconds, context_.instance)));
  retire_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) ask_to_retire("served for its time");
  });
}

SmtpdService::~SmtpdService() {
  for (const auto& [number, session] : sessions_) session->detach();
}

void SmtpdService::peer(Compartment row, std::uint32_t, UniqueFd socket) {
  if (row == Compartment::spool) return spool_.connect(std::move(socket));
  if (row == Compartment::router) return router_.connect(std::move(socket));
}

std::vector<control::Counter> SmtpdService::counters() {
  return {{"sessions", sessions_.size()},
          {"sessions served", served_},
          {"messages accepted", accepted_messages_},
          {"refusals", refusals_},
          {"commits awaited", spool_.outstanding()},
          {"bytes on the way to the queue", spool_.on_the_way()}};
}

// Connections.

void SmtpdService::serve(UniqueFd socket, const sockaddr_storage& peer) {
  auto [address, endpoint, network] = client_address(peer);
  if (sessions_.size() >= slice_.max_sessions) {
    turn_away(socket, address, {421, {4, 3, 2}, "Too many sessions, try again later"}, slice_.sessions_rule);
    return;
  }
  if (pressure_ == queue::PressureLevel::close) {
    turn_away(socket, address, {421, {4, 3, 2}, "The queue is overloaded, try again later"},
              limits_.closed_rule);
    return;
  }
  auto& of_client = sessions_of_client_[network];
  if (of_client >= slice_.max_sessions_per_client) {
    turn_away(socket, address, {421, {4, 7, 0}, "Too many sessions from your address"},
              slice_.sessions_per_client_rule);
    return;
  }
  ++of_client;
  const auto number = ++served_;
  auto session = std::make_shared<Session>(context_.loop, static_cast<SessionHost&>(*this), number,
                                           std::move(socket), limits_, std::move(network),
                                           smtp::ClientFacts{std::move(address), std::move(endpoint),
                                                             fmt::format("{}-{:x}", process_name_, number)});
  sessions_.emplace(number, session);
  start_sweeping();
  session->start();
  if (served_ >= with_jitter(slice_.retire_sessions, context_.instance)) ask_to_retire("served its sessions");
}

void SmtpdService::turn_away(const UniqueFd& socket, const std::string& client, const mail::Reply& reply,
                             const Rule& rule) {
  const auto line = to_string(reply) + "\r\n";
  // Whether it arrives or not, the client is turned away.
  static_cast<void>(::send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
  ++refusals_;
  Record record;
  record.decision = Decision::refused;
  record.client = client;
  record.rule = rule;
  record.outcome = to_string(reply);
  context_.records.record(std::move(record));
}

void SmtpdService::on_shortage(int errno_value) {
  const auto now = steady_clock::now();
  if (last_shortage_ && now - *last_shortage_ < kShortageRecords) return;
  last_shortage_ = now;
  Record record;
  record.decision = Decision::pressure;
  record.facts = {{"cause", ::strerrordesc_np(errno_value)}, {"sessions", std::to_string(sessions_.size())}};
  record.outcome = "accepting pauses";
  context_.records.record(std::move(record));
}

void SmtpdService::ask_to_retire(std::string why) {
  if (draining_ || std::exchange(asked_to_retire_, true)) return;
  context_.retire(std::move(why));
}

std::shared_ptr<Session> SmtpdService::find(std::uint64_t number) const {
  const auto found = sessions_.find(number);
  return found == sessions_.end() ? nullptr : found->second;
}

Record SmtpdService::record_of(const Session& session, Decision decision) const {
  const auto& client = session.conversation().client();
  Record record;
  record.decision = decision;
  record.session = client.session;
  record.client = client.address;
  return record;
}

void SmtpdService::ended(Session& session) {
  const auto& conversation = session.conversation();
  if (session.broken_off() || conversation.errors() > 0) {
    auto record = record_of(session, Decision::disconnected);
    record.facts = {{"messages", std::to_string(conversation.messages)},
                    {"refusals", std::to_string(conversation.errors())}};
    if (session.broken_off())
      record.facts.push_back({"why", "the client went away in the middle of a transaction"});
    context_.records.record(std::move(record));
  }
  const auto of_client = sessions_of_client_.find(session.client_network());
  if (--of_client->second == 0) sessions_of_client_.erase(of_client);
  // The session is running: it goes when its handlers are done.
  sessions_.erase(session.number());
  exit_when_empty();
}

// What engines ask for.

void SmtpdService::act(Session& session, smtp::Action&& action) {
  std::visit([&](auto&& what) { on(session, std::forward<decltype(what)>(what)); }, std::move(action));
}

void SmtpdService::on(Session& session, smtp::VerifyRecipient&& verify) {
  router_.ask(
      {session.number(),
       verify.request,
       {0, session.conversation().client().address, std::move(verify.sender), std::move(verify.recipient)}},
      steady_clock::now());
}

void SmtpdService::on(Session& session, smtp::WantId&&) {
  const bool slowed = pressure_ != queue::PressureLevel::none;
  if (waiting_for_ids_.empty() && !slowed) {
    if (const auto id = spool_.take_id()) return grant(session, *id);
  }
  waiting_for_ids_.push_back({session.number(), steady_clock::now() + (slowed ? kSlowDelay : 0s)});
  if (slowed) grant_later();
}

void SmtpdService::on_pressure(const spool_intake::Pressure& pressure) {
  pressure_ = pressure.level;
  const bool closed = pressure_ >= queue::PressureLevel::refuse;
  limits_.closed_because = closed ? "The queue is overloaded, try again later" : "";
  limits_.closed_rule = {closed ? "pressure: " + pressure.cause : "", {}, 0};
  grant_waiting_ids();
}

/// Those whose wait is not over have been slowed down.
void SmtpdService::grant_later() {
  slow_timer_.expires_at(waiting_for_ids_.front().since);
  slow_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) grant_waiting_ids();
  });
}

void SmtpdService::grant(Session& session, const LeasedId& id) {
  session.lease_epoch = id.epoch;
  session.engine().grant_id(id.id, wall_now());
}

void SmtpdService::grant_waiting_ids() {
  while (!waiting_for_ids_.empty()) {
    const bool slowed = pressure_ != queue::PressureLevel::none;
    if (slowed && waiting_for_ids_.front().since > steady_clock::now()) return grant_later();
    const auto session = find(waiting_for_ids_.front().session);
    if (session) {
      const auto id = spool_.take_id();
      if (!id) return;
      grant(*session, *id);
    }
    waiting_for_ids_.pop_front();
    if (session) session->pump();
  }
}

/// The message whose content the session is at.
LeasedId SmtpdService::message_of(const Session& session) {
  return {session.conversation().transaction.id, session.lease_epoch};
}

bool SmtpdService::has_room(Session& session) {
  if (spool_.has_room(message_of(session))) return true;
  if (!session.waits_for_room()) waiting_for_room_.push_back(session.number());
  return false;
}

void SmtpdService::resume_sessions() {
  std::deque<std::uint64_t> still_waiting;
  for (const auto number : std::exchange(waiting_for_room_, {})) {
    const auto session = find(number);
    if (!session) continue;
    if (spool_.has_room(message_of(*session))) {
      session->resume();
    } else {
      still_waiting.push_back(number);
    }
  }
  // Before those that went on and wait again already: each gets its turn.
  waiting_for_room_.insert(waiting_for_room_.begin(), still_waiting.begin(), still_waiting.end());
}

void SmtpdService::on(Session& session, smtp::SendPiece&& piece) {
  // Where the message is lost, its end is answered with 451.
  spool_.send({piece.id, session.lease_epoch}, spool_intake::Piece{piece.id, std::move(piece.bytes)});
}

void SmtpdService::on(Session& session, smtp::Abandon&& abandon) {
  spool_.abandon({abandon.id, session.lease_epoch});
}

void SmtpdService::on(Session& session, smtp::Commit&& commit) {
  const LeasedId id{commit.id, session.lease_epoch};
  if (const auto why = spool_.lost(id)) {
    spool_.abandon(id);
    session.engine().not_committed({451, {4, 3, 0}, "The queue is not available now"}, *why);
    return;
  }
  auto record = record_of(session, Decision::accepted);
  const auto& envelope = commit.envelope;
  record.id = commit.id;
  record.sender = mail::to_path(envelope.reverse_path);
  if (envelope.recipients.size() == 1) record.recipient = envelope.recipients.front().to_wire();
  record.rule = std::move(commit.rule);
  record.facts = {{"bytes", std::to_string(commit.bytes)},
                  {"recipients", std::to_string(envelope.recipients.size())},
                  {"protocol", envelope.origin.protocol},
                  {"helo", envelope.origin.helo}};
  if (envelope.recipients.size() > 1) record.facts.push_back({"to", listed(envelope.recipients)});
  if (slice_.hold) record.facts.push_back({"held by", slice_.hold_rule.name});
  record.outcome = "250 2.0.0 Ok: queued as " + to_string(commit.id);
  spool_.commit(
      session.lease_epoch,
      spool_intake::Commit{commit.id, std::move(commit.envelope), std::move(commit.last_piece), slice_.hold},
      {session.number(), std::move(record)});
}

void SmtpdService::on(Session& session, smtp::Refusal&& refusal) {
  ++refusals_;
  auto record = record_of(session, Decision::refused);
  record.id = refusal.id;
  record.sender = std::move(refusal.sender);
  record.recipient = std::move(refusal.recipient);
  record.rule = std::move(refusal.rule);
  record.facts = {{"helo", session.conversation().helo}};
  record.outcome = to_string(refusal.reply);
  context_.records.record(std::move(record));
}

// Answers.

void SmtpdService::on_verdict(const RouterLink::Question& question, const mail::Reply& reply,
                              const Rule& rule) {
  const auto session = find(question.session);
  if (!session) return;
  session->engine().verdict(question.engine_request, reply, rule);
  session->pump();
}

void SmtpdService::on_committed(SpoolLink::Sent&& message) {
  ++accepted_messages_;
  context_.records.record(std::move(message.accepted));
  if (const auto session = find(message.session)) {
    session->engine().committed();
    session->pump();
  }
  exit_when_empty();
}

void SmtpdService::on_not_committed(const SpoolLink::Sent& message, const mail::Reply& reply,
                                    const Rule& rule) {
  if (const auto session = find(message.session)) {
    session->engine().not_committed(reply, rule);
    session->pump();
  }
  exit_when_empty();
}

// The end.

/// Sessions go on, with 451 to what needs the peer; a successor has its own channels.
bool SmtpdService::peer_lost(Compartment row) {
  ask_to_retire("lost its channel to " + std::string(to_string(row)));
  return true;
}

void SmtpdService::drain(bool urgent) {
  draining_ = true;
  retire_timer_.cancel();
  for (auto& acceptor : acceptors_) acceptor->close();
  if (urgent) {
    std::vector<std::shared_ptr<Session>> running;
    for (const auto& [number, session] : sessions_) running.push_back(session);
    for (const auto& session : running) {
      session->engine().shut_down({421, {4, 3, 2}, limits_.hostname + " shuts down"}, {"shutdown", {}, 0});
      session->pump();
    }
  }
  exit_when_empty();
}

void SmtpdService::exit_when_empty() {
  if (!draining_ || !sessions_.empty() || spool_.outstanding() > 0 || std::exchange(exited_, true)) return;
  context_.exit();
}

}  // namespace sternpost::smtpd

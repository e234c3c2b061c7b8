#include "protocol/smtp/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sternpost::smtp {
namespace {

constexpr mail::ReplyCode kServiceClosing = 421;

// What the client says in the server's place. The code is that of a local error (RFC 5321 section 4.2.3).
mail::Reply trouble(mail::EnhancedStatus status, std::string text) {
  text.resize(std::min(text.size(), ReplyReader::kMaxText));
  return {451, status, std::move(text)};
}

// RFC 3463 section 3.5: "No answer from host" and "Bad connection".
constexpr mail::EnhancedStatus kNoAnswer{4, 4, 1};
constexpr mail::EnhancedStatus kBadConnection{4, 4, 2};
constexpr mail::EnhancedStatus kProtocolFault{4, 5, 0};
constexpr mail::EnhancedStatus kMailSystem{4, 3, 0};

/// Replies to EHLO with which servers say that they know only HELO (RFC 5321 section 3.2).
bool knows_no_ehlo(mail::ReplyCode code) {
  return code == 500 || code == 501 || code == 502 || code == 504 || code == 550;
}

}  // namespace

void Client::begin(Delivery delivery) {
  if (std::exchange(any_delivery_, true)) transcript_.clear();
  delivery_.emplace(std::move(delivery));
  if (phase_ == Phase::ready) start_delivery();
  if (phase_ == Phase::closed) give_up(trouble(kBadConnection, "the connection is closed"));
}

void Client::connected() {
  if (phase_ != Phase::connecting) return;
  phase_ = Phase::greeting;
  awaited_.push_back(Awaited::greeting);
}

void Client::feed(std::string_view octets) {
  if (phase_ == Phase::connecting || phase_ == Phase::closed) return;
  replies_.feed(octets);
  while (!closing()) {
    const auto reply = replies_.next();
    if (!reply) break;
    if (!*reply) {
      fault(reply->error().text);
      return;
    }
    ++progress_;
    transcript_.reply((*reply)->code, replies_.lines());
    take_reply(**reply);
  }
  if (replies_.pending() && !owed()) unasked_ = true;
}

void Client::take_reply(const mail::Reply& reply) {
  const bool asked = owed() && !unasked_;
  if (phase_ == Phase::quitting) {
    close();
  } else if (reply.code == kServiceClosing) {
    // Wherever it comes, it says that nothing is accepted that was not accepted before (section 3.8).
    if (delivery_) delivery_->settle_rest(reply, Scope::host, Speaker::server);
    finish();
    close();
  } else if (!asked) {
    take_unasked(reply);
  } else {
    const auto to = awaited_[answered_++];
    if (!awaiting()) {
      awaited_.clear();
      answered_ = 0;
    }
    take_answer(to, reply);
  }
}

/// A server that speaks out of turn is not followed further: what it says may answer something else. Only a
/// refusal in the middle of the content leaves no doubt; servers do that before they hang up.
void Client::take_unasked(const mail::Reply& reply) {
  const bool refusal = reply.temporary() || reply.permanent();
  if (refusal && (phase_ == Phase::content || phase_ == Phase::verdict)) {
    delivery_->verdict(reply);
    delivery_->settle_rest(reply, Scope::host, Speaker::server);
    finish();
    close();
    return;
  }
  fault(fmt::format("\"{}\" without being asked", to_string(reply)));
}

void Client::take_answer(Awaited to, const mail::Reply& reply) {
  switch (to) {
    case Awaited::greeting:
      take_greeting(reply);
      break;
    case Awaited::hello:
    case Awaited::helo:
      take_hello(to, reply);
      break;
    case Awaited::reset:
    case Awaited::mail:
    case Awaited::recipient:
    case Awaited::data:
    case Awaited::end_of_data:
      take_transaction_answer(to, reply);
      break;
    case Awaited::quit:
      close();
      break;
  }
}

void Client::take_greeting(const mail::Reply& reply) {
  if (reply.intermediate()) return fault(reply);
  if (!reply.positive()) return refuse_host(reply);
  say(Awaited::hello, (limits_.protocol == ClientProtocol::lmtp ? "LHLO " : "EHLO ") + limits_.helo);
}

void Client::take_hello(Awaited to, const mail::Reply& reply) {
  if (reply.intermediate()) return fault(reply);
  if (!reply.positive()) {
    const bool older = to == Awaited::hello && limits_.protocol == ClientProtocol::smtp;
    if (!older || !knows_no_ehlo(reply.code)) return refuse_host(reply);
    say(Awaited::helo, "HELO " + limits_.helo);
    return;
  }
  if (to == Awaited::hello) capabilities_ = parse_capabilities(replies_.lines());
  phase_ = Phase::ready;
  if (delivery_) start_delivery();
}

/// The server serves nobody, or not us. RFC 5321 section 3.1 asks for a QUIT even so.
void Client::refuse_host(const mail::Reply& reply) {
  if (delivery_) delivery_->settle_rest(reply, Scope::host, Speaker::server);
  finish();
  say_quit();
}

void Client::fault(const mail::Reply& reply) {
  fault(fmt::format("\"{}\"", to_string(reply)));
}

void Client::fault(std::string_view what) {
  give_up(
      trouble(kProtocolFault, fmt::format("the server sent {} while {} was awaited", what, waiting_for())));
}

/// RFC 3463 section 3.5: a server that never came to EHLO did not answer.
mail::EnhancedStatus Client::no_use() const {
  return phase_ <= Phase::greeting ? kNoAnswer : kBadConnection;
}

void Client::written() {
  ++progress_;
}

void Client::content_lost(std::string_view why) {
  if (phase_ != Phase::content) return;
  delivery_->settle_rest(trouble(kMailSystem, std::string(why)), Scope::answer, Speaker::client);
  finish();
  close();
}

void Client::timed_out() {
  give_up(trouble(no_use(), fmt::format("timed out waiting for {}", waiting_for())));
}

void Client::disconnected(std::string_view why) {
  if (phase_ == Phase::connecting) {
    const std::string_view separator = why.empty() ? "" : ": ";
    give_up(trouble(kNoAnswer, fmt::format("cannot connect{}{}", separator, why)));
    return;
  }
  const auto cause = why.empty() ? std::string() : fmt::format(" ({})", why);
  give_up(trouble(no_use(), fmt::format("lost connection{} waiting for {}", cause, waiting_for())));
}

/// The connection is of no further use. Whether the server accepted what it had is known unless it had all.
void Client::give_up(const mail::Reply& reply) {
  if (delivery_) {
    if (content_sent()) delivery_->settle_accepted(reply, Scope::unknown, Speaker::client);
    delivery_->settle_rest(reply, Scope::host, Speaker::client);
  }
  finish();
  close();
}

void Client::finish() {
  if (!delivery_) return;
  finished_ = delivery_->take_result();
  delivery_.reset();
  if (quit_wanted_ && phase_ == Phase::ready) say_quit();
}

void Client::close() {
  phase_ = Phase::closed;
  output_.clear();
  awaited_.clear();
  answered_ = 0;
}

void Client::say(Awaited awaited, std::string_view command) {
  output_.append(command).append("\r\n");
  transcript_.command(command);
  awaited_.push_back(awaited);
}

void Client::say_quit() {
  phase_ = Phase::quitting;
  say(Awaited::quit, "QUIT");
}

void Client::quit() {
  quit_wanted_ = true;
  if (delivery_) return;
  if (phase_ == Phase::ready) say_quit();
  if (phase_ == Phase::connecting || phase_ == Phase::greeting) close();
}

std::optional<Finished> Client::take_finished() {
  return std::exchange(finished_, std::nullopt);
}

bool Client::idle() const {
  return phase_ <= Phase::ready && !delivery_ && !finished_ && !quit_wanted_;
}

std::optional<Seconds> Client::patience() const {
  if (phase_ == Phase::content) return limits_.data_block;
  if (!awaiting()) return std::nullopt;
  switch (awaited_[answered_]) {
    case Awaited::greeting:
      return limits_.greeting;
    case Awaited::hello:
    case Awaited::helo:
      return limits_.hello;
    case Awaited::reset:
      return limits_.reset;
    case Awaited::mail:
      return limits_.mail;
    case Awaited::recipient:
      return limits_.rcpt;
    case Awaited::data:
      return limits_.data_init;
    case Awaited::end_of_data:
      return limits_.data_end;
    case Awaited::quit:
      return limits_.quit;
  }
  return std::nullopt;
}

std::string_view Client::waiting_for() const {
  if (phase_ == Phase::content) return "room to send the content";
  if (phase_ == Phase::connecting) return "the connection";
  if (!awaiting()) return "nothing";
  switch (awaited_[answered_]) {
    case Awaited::greeting:
      return "the greeting";
    case Awaited::hello:
      return limits_.protocol == ClientProtocol::lmtp ? "the reply to LHLO" : "the reply to EHLO";
    case Awaited::helo:
      return "the reply to HELO";
    case Awaited::reset:
      return "the reply to RSET";
    case Awaited::mail:
      return "the reply to MAIL";
    case Awaited::recipient:
      return "the reply to RCPT";
    case Awaited::data:
      return "the reply to DATA";
    case Awaited::end_of_data:
      return "the reply to the end of the content";
    case Awaited::quit:
      return "the reply to QUIT";
  }
  return "nothing";
}

}  // namespace sternpost::smtp

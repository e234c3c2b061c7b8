#include "protocol/smtp/server.h"

#include <fmt/format.h>

#include <utility>

#include "base/ascii.h"
#include "mail/trace.h"
#include "protocol/smtp/command_table.h"
#include "protocol/smtp/verbs.h"

namespace sternpost::smtp {
namespace {

struct CommandLine {
  std::string_view verb;
  std::string_view arguments;
};

CommandLine split(std::string_view line) {
  const auto verb = line.substr(0, line.find_first_of(" \t"));
  return {verb, trimmed(line.substr(verb.size()))};
}

}  // namespace

Server::Server(const ServerLimits& limits, ClientFacts client)
    : conversation_(limits, std::move(client)), lines_(limits.max_command_line) {}

void Server::start() {
  conversation_.reply(220, {}, conversation_.limits().hostname + " ESMTP Sternpost");
}

bool Server::wants_input() const {
  switch (conversation_.phase) {
    case Phase::commands:
      return !blocked_ && !throttled_ && conversation_.unanswered() < conversation_.limits().max_unanswered;
    case Phase::content:
      return true;
    case Phase::awaiting_id:
    case Phase::awaiting_commit:
    case Phase::closed:
      return false;
  }
  return false;
}

bool Server::awaits_answer() const {
  return conversation_.unanswered() > 0 || conversation_.phase == Phase::awaiting_id ||
         conversation_.phase == Phase::awaiting_commit;
}

void Server::feed(std::string_view octets) {
  if (closing()) return;
  if (pending_.empty()) {
    consume(octets);
  } else {
    pending_.append(octets);
    resume();
  }
  settle();
}

void Server::resume() {
  const auto input = std::exchange(pending_, {});
  consume(input);
}

bool Server::replies_written() {
  if (!throttled_ || closing() || !conversation_.replies.empty()) return false;
  resume();
  settle();
  return true;
}

void Server::consume(std::string_view octets) {
  blocked_ = throttled_ = false;
  auto& phase = conversation_.phase;
  while (!octets.empty()) {
    if (phase == Phase::content) {
      octets.remove_prefix(intake_.take(octets, conversation_.actions));
      if (intake_.ended()) end_content();
    } else if (phase != Phase::commands || !take_command(octets)) {
      break;
    } else if (conversation_.replies.size() > conversation_.limits().max_replies) {
      throttled_ = true;
      break;
    }
  }
  if (phase != Phase::closed) pending_.assign(octets);
}

/// While verdicts are awaited only further recipients are taken: what any other command means may depend on
/// them.
bool Server::must_wait(std::string_view input) const {
  if (conversation_.unanswered() == 0) return false;
  const auto& limits = conversation_.limits();
  const auto lf = input.find('\n');
  if (lf == std::string_view::npos) return input.size() >= limits.max_command_line;
  const auto line = input.substr(0, lf);
  return !conversation_.extended || conversation_.unanswered() >= limits.max_unanswered ||
         lf + 1 > limits.max_command_line ||
         (line.ends_with('\r') ? LineEnd::crlf : LineEnd::lf) != line_end_ ||
         line.substr(0, lf - 1).find_first_of(std::string_view("\r\0", 2)) != std::string_view::npos ||
         commands_ >= limits.max_commands || conversation_.errors() >= limits.max_errors ||
         !equals_ignoring_case(split(line.substr(0, 5)).verb, "RCPT");
}

bool Server::take_command(std::string_view& input) {
  if (must_wait(input)) {
    blocked_ = true;
    return false;
  }
  const auto line = lines_.next(input);
  if (!line) return false;
  execute(*line, !input.empty());
  return true;
}

bool Server::refuse_line(const Line& line) {
  const auto& limits = conversation_.limits();
  if (!line_end_) line_end_ = limits.normalize ? line.end : LineEnd::crlf;
  if (line.end != *line_end_) {
    conversation_.refuse_and_close(
        {554,
         {5, 5, 2},
         line.end == LineEnd::lf ? "Bare LF: lines end in CRLF" : "CRLF in a session of bare LF"},
        limits.rules.normalize);
    return true;
  }
  switch (line.fault) {
    case LineFault::none:
      return false;
    case LineFault::too_long:
      conversation_.refuse(
          {500, {5, 5, 2}, fmt::format("Line is longer than {} octets", limits.max_command_line)},
          limits.rules.max_command_line);
      return true;
    case LineFault::bare_cr:
      conversation_.refuse({500, {5, 5, 2}, "Bare CR in a command"}, limits.rules.normalize);
      return true;
    case LineFault::nul:
      conversation_.refuse({500, {5, 5, 2}, "NUL in a command"}, limits.rules.normalize);
      return true;
  }
  return false;
}

void Server::execute(const Line& line, bool more_follows) {
  const auto& limits = conversation_.limits();
  if (++commands_ > limits.max_commands) {
    conversation_.refuse_and_close({421, {4, 7, 0}, "Too many commands in one session"},
                                   limits.rules.max_commands);
    return;
  }
  if (conversation_.errors() >= limits.max_errors) {
    conversation_.refuse_and_close({421, {4, 7, 0}, "Too many errors in one session"},
                                   limits.rules.max_errors);
    return;
  }
  if (refuse_line(line)) return;

  const auto [verb, arguments] = split(line.text);
  const auto* command = find_command(verb);
  const bool unexpected_group = !conversation_.extended || (command != nullptr && command->ends_group);
  const bool harmless = command != nullptr && (command->run == verbs::http || command->run == verbs::quit);
  if (more_follows && unexpected_group && !harmless) {
    conversation_.refuse_and_close({554, {5, 5, 0}, "Protocol synchronization: wait for the reply"},
                                   built_in("RFC 2920 3.1"));
    return;
  }
  if (command == nullptr) {
    conversation_.refuse({500, {5, 5, 2}, "Command not recognized"}, built_in("RFC 5321 4.2.4"));
    return;
  }
  command->run(conversation_, arguments);
}

void Server::grant_id(QueueId id, WallTime now) {
  if (conversation_.phase != Phase::awaiting_id) return;
  auto& transaction = conversation_.transaction;
  transaction.id = id;
  transaction.arrival = now;
  const auto& limits = conversation_.limits();
  auto trace = mail::received_field({
      .helo = conversation_.helo,
      .client_address = conversation_.client().address,
      .by = limits.hostname,
      .with = conversation_.extended ? "ESMTP" : "SMTP",
      .id = id,
      .recipient = transaction.recipients.size() == 1 ? &transaction.recipients.front() : nullptr,
      .at = now,
  });
  intake_.begin(limits, line_end_.value_or(LineEnd::crlf), id, std::move(trace), transaction.declared_bytes);
  conversation_.phase = Phase::content;
  conversation_.reply(354, {}, "End data with <CR><LF>.<CR><LF>");
  resume();
  settle();
}

void Server::refuse_id(const mail::Reply& reply, const Rule& rule) {
  if (conversation_.phase != Phase::awaiting_id) return;
  conversation_.refuse(reply, rule);
  end_transaction();
}

void Server::end_content() {
  if (const auto fault = intake_.fault()) {
    conversation_.refuse(fault->reply, fault->rule);
    conversation_.reset_transaction();
    conversation_.phase = Phase::commands;
    return;
  }
  auto& transaction = conversation_.transaction;
  Commit commit;
  commit.id = transaction.id;
  commit.bytes = intake_.bytes();
  commit.rule = std::move(transaction.rule);
  commit.last_piece = intake_.take_last_piece();
  commit.envelope = {.reverse_path = transaction.reverse_path,
                     .recipients = std::move(transaction.recipients),
                     .arrival = transaction.arrival,
                     .origin = {.protocol = conversation_.extended ? "ESMTP" : "SMTP",
                                .client = conversation_.client().endpoint,
                                .helo = conversation_.helo,
                                .session = conversation_.client().session},
                     .eight_bit = transaction.eight_bit};
  conversation_.actions.emplace_back(std::move(commit));
  conversation_.phase = Phase::awaiting_commit;
}

void Server::end_transaction() {
  conversation_.reset_transaction();
  conversation_.phase = Phase::commands;
  resume();
  settle();
}

void Server::committed() {
  if (conversation_.phase != Phase::awaiting_commit) return;
  ++conversation_.messages;
  conversation_.reply(250, {2, 0, 0}, "Ok: queued as " + to_string(conversation_.transaction.id));
  end_transaction();
}

void Server::not_committed(const mail::Reply& reply, const Rule& rule) {
  if (conversation_.phase != Phase::awaiting_commit) return;
  conversation_.refuse(reply, rule);
  end_transaction();
}

void Server::verdict(std::uint32_t request, const mail::Reply& reply, const Rule& rule) {
  if (closing()) return;
  conversation_.verdict(request, reply, rule);
  if (!pending_.empty()) resume();
  settle();
}

void Server::settle() {
  if (!farewell_ || conversation_.phase != Phase::commands || conversation_.unanswered() > 0) return;
  conversation_.refuse_and_close(farewell_->reply, farewell_->rule);
}

void Server::time_out() {
  if (closing()) return;
  const auto& rules = conversation_.limits().rules;
  const auto& rule = in_content() ? rules.data_timeout : rules.command_timeout;
  if (in_content()) intake_.abandon(conversation_.actions);
  conversation_.refuse_and_close({421, {4, 4, 2}, "Timeout"}, rule);
}

void Server::shut_down(mail::Reply farewell, Rule rule) {
  farewell_ =
      Refusal{.reply = std::move(farewell), .rule = std::move(rule), .id = {}, .sender = {}, .recipient = {}};
  settle();
}

void Server::disconnected() {
  if (in_content()) intake_.abandon(conversation_.actions);
  conversation_.phase = Phase::closed;
}

}  // namespace sternpost::smtp

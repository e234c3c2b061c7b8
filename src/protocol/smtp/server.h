// The SMTP server (RFC 5321) without sockets and clock: it is fed octets and events and yields replies and
// actions.
//
// Everything that one event causes stands in replies() and actions() afterwards; the shell takes both, writes
// the replies at once, carries the actions out in order, and feeds more only while wants_input(). Input
// beyond a pending question, or beyond what the client reads of replies, stays inside, bounded by what was
// fed in one call and one command line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "protocol/line_reader.h"
#include "protocol/smtp/conversation.h"
#include "protocol/smtp/message_intake.h"

namespace sternpost::smtp {

class Server {
 public:
  /// `limits` must outlive the server.
  Server(const ServerLimits& limits, ClientFacts client);

  /// The connection is open: the greeting.
  void start();
  /// Octets from the client. Only while wants_input().
  void feed(std::string_view octets);
  /// The replies are written. Commands that waited for room are executed; true where there were any, so that
  /// there may be replies and actions again.
  bool replies_written();

  // Answers to actions.
  void verdict(std::uint32_t request, const mail::Reply& reply, const Rule& rule);
  /// `now` becomes the arrival time of the message.
  void grant_id(QueueId id, WallTime now);
  void refuse_id(const mail::Reply& reply, const Rule& rule);
  void committed();
  void not_committed(const mail::Reply& reply, const Rule& rule);

  // What happens to the session.
  /// The client was silent for too long: 421 and the end.
  void time_out();
  /// The session ends with `farewell` (421) at its next command boundary; a message in hand is finished
  /// first.
  void shut_down(mail::Reply farewell, Rule rule);
  /// The client is gone; what it left unfinished is abandoned.
  void disconnected();

  /// Octets to write. The caller takes them away and leaves the string empty.
  [[nodiscard]] std::string& replies() { return conversation_.replies; }
  /// The caller takes them away and leaves the vector empty.
  [[nodiscard]] std::vector<Action>& actions() { return conversation_.actions; }

  [[nodiscard]] bool wants_input() const;
  /// Close the connection once the replies are written.
  [[nodiscard]] bool closing() const { return conversation_.phase == Phase::closed; }
  /// The end is ours, not the client's: it may still be sending, so close in a way that lets it read the
  /// reply.
  [[nodiscard]] bool closed_by_refusal() const { return conversation_.closed_by_refusal(); }
  /// An answer to an action is owed.
  [[nodiscard]] bool awaits_answer() const;
  [[nodiscard]] bool in_content() const { return conversation_.phase == Phase::content; }
  [[nodiscard]] const Conversation& conversation() const { return conversation_; }

 private:
  void consume(std::string_view octets);
  void resume();
  void settle();
  bool take_command(std::string_view& input);
  [[nodiscard]] bool must_wait(std::string_view input) const;
  void execute(const Line& line, bool more_follows);
  bool refuse_line(const Line& line);
  void end_content();
  void end_transaction();

  Conversation conversation_;
  LineReader lines_;
  MessageIntake intake_;
  std::string pending_;  ///< an unfinished line, or what was sent ahead of an answer
  std::optional<LineEnd> line_end_;
  std::uint32_t commands_ = 0;
  bool blocked_ = false;             ///< what is pending waits for verdicts
  bool throttled_ = false;           ///< what is pending waits until replies are written
  std::optional<Refusal> farewell_;  ///< the session ends at its next command boundary
};

}  // namespace sternpost::smtp

// What has been said in a session: the state that the verbs read and change, and what they answer.
//
// This is the inside of the server engine; server.h is its face. Framing of input is the server's, meaning is
// the verbs'.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/queue_id.h"
#include "base/rule.h"
#include "base/time.h"
#include "mail/address.h"
#include "mail/status.h"
#include "protocol/smtp/server_actions.h"
#include "protocol/smtp/server_limits.h"

namespace sternpost::smtp {

/// Who the client is, as far as the connection tells.
struct ClientFacts {
  std::string address;   ///< textual IP address
  std::string endpoint;  ///< with port, for Origin: "192.0.2.1:40312"
  std::string session;   ///< name of the session in records
};

enum class Phase : unsigned char {
  commands,
  awaiting_id,      ///< DATA was said; no reply yet
  content,          ///< after 354
  awaiting_commit,  ///< the content has ended; no reply yet
  closed,           ///< the last reply is written
};

/// A mail transaction (RFC 5321 section 3.3), open from MAIL until DATA is done with or it is reset.
struct Transaction {
  bool open = false;
  mail::ReversePath reverse_path;
  std::vector<mail::Mailbox> recipients;
  Rule rule;  ///< by which the first recipient was accepted
  bool recipient_refused = false;
  bool eight_bit = false;
  std::uint64_t declared_bytes = 0;  ///< SIZE=, 0 where not given
  QueueId id;                        ///< from 354 on
  WallTime arrival;
};

class Conversation {
 public:
  Conversation(const ServerLimits& limits, ClientFacts client)
      : limits_(limits), client_(std::move(client)) {}

  // State that verbs read and change.
  Phase phase = Phase::commands;
  Transaction transaction;
  std::string helo;       ///< empty before HELO or EHLO
  bool extended = false;  ///< EHLO, not HELO
  std::uint32_t messages = 0;

  // What to do with it.
  std::string replies;
  std::vector<Action> actions;

  [[nodiscard]] const ServerLimits& limits() const { return limits_; }
  [[nodiscard]] const ClientFacts& client() const { return client_; }
  /// Refusals with 5xx so far.
  [[nodiscard]] std::uint32_t errors() const { return errors_; }

  /// One line of reply; `text` is bounded and cleaned of what is not printable ASCII. A status of class 0 is
  /// left out: greeting, EHLO and 3xx have none (RFC 2034).
  void reply(mail::ReplyCode code, mail::EnhancedStatus status, std::string_view text);
  /// Several lines under one code and status.
  void reply_lines(mail::ReplyCode code, mail::EnhancedStatus status, const std::vector<std::string>& lines);

  /// A reply of 4xx or 5xx, recorded with the rule that made it.
  void refuse(const mail::Reply& reply, Rule rule, std::string recipient = {});
  /// The same, after which the session ends.
  void refuse_and_close(const mail::Reply& reply, Rule rule);

  void reset_transaction() { transaction = {}; }

  /// The session ended by refuse_and_close.
  [[nodiscard]] bool closed_by_refusal() const { return closed_by_refusal_; }

  /// Asks for a verdict. Its answer, and every answer after it, waits for its turn (RFC 2920 section 3.2).
  void ask_about(mail::Mailbox recipient);
  /// Refuses a RCPT without asking, in its turn.
  void refuse_recipient(const mail::Reply& reply, Rule rule, std::string recipient);
  /// A verdict has come; unknown numbers are ignored.
  void verdict(std::uint32_t request, const mail::Reply& reply, const Rule& rule);
  /// Recipients whose answers are not written yet.
  [[nodiscard]] std::size_t unanswered() const { return asked_.size() - answered_; }

 private:
  struct Asked {
    std::uint32_t request = 0;
    std::optional<mail::Mailbox> recipient;  ///< nothing where it was refused without asking
    std::optional<mail::Reply> reply;
    Rule rule;
    std::string text;  ///< the recipient for the record of a refusal without asking
  };

  void answer_in_turn();
  void answer(Asked& asked);
  [[nodiscard]] std::string sender_for_records() const;

  const ServerLimits& limits_;
  ClientFacts client_;
  std::uint32_t errors_ = 0;
  bool closed_by_refusal_ = false;
  std::uint32_t last_request_ = 0;
  std::vector<Asked> asked_;  ///< in the order of their RCPT; the first `answered_` are done
  std::size_t answered_ = 0;
};

/// A built-in rule, named by the section that states it or the key that bounds it.
inline Rule built_in(std::string name) {
  return {std::move(name), {}, 0};
}

}  // namespace sternpost::smtp

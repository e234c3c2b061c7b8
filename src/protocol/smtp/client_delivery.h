// One delivery of the SMTP client: what is to be delivered, and what becomes of each recipient.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "mail/address.h"
#include "mail/outcome.h"
#include "mail/status.h"
#include "protocol/smtp/content_writer.h"

namespace sternpost::smtp {

/// A message and those recipients of it that one host takes.
struct Delivery {
  mail::ReversePath reverse_path;
  std::vector<mail::Mailbox> recipients;  ///< at least one
  ContentFacts facts;                     ///< of the content, which is given when it is wanted
  bool eight_bit = false;                 ///< the message came with BODY=8BITMIME
};

/// What a recipient's result rests on, which tells what else may be tried in the same attempt.
enum class Scope : unsigned char {
  /// The server has answered for this recipient or the message, or the client has, knowing what the server
  /// offers.
  answer,
  /// Trouble with this host or the connection to it; it did not accept this recipient's message, so another
  /// host may be tried at once.
  host,
  /// All of the content went out, and no reply came that can be understood: the server may have accepted it.
  /// Whoever tries another host now risks a second copy.
  unknown,
};

/// Whose words a reply is.
enum class Speaker : unsigned char { server, client };

/// What became of one recipient in this delivery.
struct RecipientResult {
  mail::Disposition disposition = mail::Disposition::deferred;  ///< of `host` and `unknown`: deferred
  Scope scope = Scope::host;
  mail::Reply reply;       ///< always with a status
  bool by_server = false;  ///< the reply is the server's; else the client's in its place
};

/// The result of a delivery, a recipient each, in the order of Delivery::recipients.
struct Finished {
  std::vector<RecipientResult> recipients;
};

/// The recipients of a delivery on their way to a result, through as many transactions as the server wants.
/// Each recipient is settled once; whatever comes for it later changes nothing.
class DeliveryState {
 public:
  explicit DeliveryState(Delivery delivery);

  [[nodiscard]] const Delivery& delivery() const { return delivery_; }

  /// A transaction begins with up to `most` recipients that are not settled.
  void begin_transaction(std::size_t most);
  /// The next recipient of the transaction to be named to the server, or null; name_next() passes on to the
  /// one behind it.
  [[nodiscard]] const mail::Mailbox* next_to_name() const;
  void name_next() { ++named_; }

  /// The reply to RCPT for the next one that was named, in order.
  void recipient_reply(const mail::Reply& reply);
  [[nodiscard]] std::size_t accepted() const { return accepted_; }
  /// The server's verdict on the content, for all recipients that it accepted.
  void verdict(const mail::Reply& reply);
  /// The verdict for the next of them that has none (LMTP, RFC 2033 section 4.2).
  void next_verdict(const mail::Reply& reply);
  /// The transaction is over. Recipients beyond the server's limit wait for another one if this one had any
  /// that were accepted (RFC 5321 section 4.5.3.1.10), and are deferred if not.
  void end_transaction();

  /// All recipients that are not settled.
  void settle_rest(const mail::Reply& reply, Scope scope, Speaker speaker);
  /// Those of the transaction that the server accepted.
  void settle_accepted(const mail::Reply& reply, Scope scope, Speaker speaker);
  [[nodiscard]] bool settled() const { return unsettled_ == 0; }

  /// When all are settled.
  Finished take_result() { return {std::move(results_)}; }

 private:
  enum class State : unsigned char { waiting, in_transaction, accepted, too_many, settled };

  void settle(std::size_t recipient, const mail::Reply& reply, Scope scope, Speaker speaker);

  Delivery delivery_;
  std::vector<RecipientResult> results_;
  std::vector<State> states_;
  std::size_t unsettled_;

  // The transaction.
  std::vector<std::uint32_t> batch_;  ///< its recipients
  std::size_t named_ = 0;             ///< how many of the batch are named
  std::size_t replied_ = 0;           ///< how many of the batch have a reply to RCPT
  std::size_t judged_ = 0;            ///< how many of the batch next_verdict() is through with
  std::size_t accepted_ = 0;
};

/// The reply as a result has it: a status of the reply's class where the server gave none (x.0.0).
mail::Reply with_status(mail::Reply reply);

}  // namespace sternpost::smtp

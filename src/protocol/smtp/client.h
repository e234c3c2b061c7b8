// The SMTP and LMTP client (RFC 5321, RFC 2033) without sockets and clock: it is told of octets and events
// and yields octets to write and results.
//
// How a shell drives it: begin() whenever idle(), even before the connection stands; connected(), and feed()
// for all that is read. After each call it gives the content that is wanted; takes output() away, writes it,
// and says written(); takes a result if there is one; and closes the connection when closing(). A timer of
// patience() runs from the last change of progress(); when it ends, timed_out().
//
// The next host of the same site may be tried for those recipients whose result has Scope::host.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "mail/status.h"
#include "protocol/smtp/client_capabilities.h"
#include "protocol/smtp/client_delivery.h"
#include "protocol/smtp/client_limits.h"
#include "protocol/smtp/client_transcript.h"
#include "protocol/smtp/content_writer.h"
#include "protocol/smtp/reply_reader.h"

namespace sternpost::smtp {

/// One connection to one host, for any number of deliveries one after the other. No event makes it fail; what
/// goes wrong stands in the results. Events after closing() change nothing.
class Client {
 public:
  /// `limits` must outlive the client.
  explicit Client(const ClientLimits& limits) : limits_(limits) {}

  /// Only while idle(), or once the connection is at its end. Each delivery that begins gets exactly one
  /// result; a refusal of the whole host, or of what the host cannot take, may stand at once.
  void begin(Delivery delivery);

  /// The connection stands; the server speaks first.
  void connected();
  /// Octets from the server, any number. Of those that are no whole reply, no more is kept than a reply may
  /// have (ReplyReader).
  void feed(std::string_view octets);
  /// Everything that was taken from output() is written: more may follow.
  void written();
  /// The octet of the delivery's content that is wanted next, or nothing while none is. It is 0 again for
  /// each transaction.
  [[nodiscard]] std::optional<std::uint64_t> wanted_content() const;
  /// Octets of the content from the wanted one on, any number, all taken at once; `last` where they are the
  /// rest. An empty content is given once, too.
  void give_content(std::string_view octets, bool last);
  /// The content that is wanted cannot be had. The delivery is deferred, and the connection is at its end:
  /// the server may not take what it has for the whole.
  void content_lost(std::string_view why);
  /// The server made no progress for as long as patience() says, or the connection did not come to be.
  void timed_out();
  /// The connection is lost, or was never there; `why` is the system's word for it, empty for the plain end
  /// of what the server sends.
  void disconnected(std::string_view why = {});
  /// No more deliveries: says QUIT after the one in hand. A shell need not wait for the reply to it.
  void quit();

  /// Octets to write. The caller takes them all away, before it writes any, and leaves the string empty: what
  /// is gone from here counts as sent. At most ClientLimits::max_unwritten and one command more, or what was
  /// made of the content that was given last.
  [[nodiscard]] std::string& output() { return output_; }
  /// The result of the delivery, once, as soon as it stands.
  [[nodiscard]] std::optional<Finished> take_finished();

  /// A delivery may begin: none is in hand, its result is taken, and the connection is not at its end.
  [[nodiscard]] bool idle() const;
  /// Close the connection now; nothing more is to be written.
  [[nodiscard]] bool closing() const { return phase_ == Phase::closed; }

  /// How long the server may take for what is awaited now (RFC 5321 section 4.5.3.2); nothing while nothing
  /// is awaited of it.
  [[nodiscard]] std::optional<Seconds> patience() const;
  /// What that is: "the reply to RCPT".
  [[nodiscard]] std::string_view waiting_for() const;
  /// Grows with every whole reply and with everything written. An octet now and then is no progress.
  [[nodiscard]] std::uint64_t progress() const { return progress_; }

  /// The dialogue of the delivery in hand or last in hand; of the first one, from the greeting on.
  [[nodiscard]] std::vector<std::string> transcript() const { return transcript_.lines(); }

 private:
  enum class Phase : unsigned char {
    connecting,
    greeting,  ///< until the server has answered EHLO, LHLO or HELO
    ready,     ///< no transaction
    commands,  ///< in a transaction
    content,   ///< after 354, until all is in output(), the end too
    verdict,   ///< the content has its end
    quitting,
    closed,
  };
  enum class Awaited : unsigned char {
    greeting,
    hello,
    helo,
    reset,
    mail,
    recipient,
    data,
    end_of_data,
    quit
  };

  // The connection: client.cc.
  [[nodiscard]] mail::EnhancedStatus no_use() const;
  void take_reply(const mail::Reply& reply);
  void take_unasked(const mail::Reply& reply);
  void take_answer(Awaited to, const mail::Reply& reply);
  void take_greeting(const mail::Reply& reply);
  void take_hello(Awaited to, const mail::Reply& reply);
  void refuse_host(const mail::Reply& reply);
  void fault(std::string_view what);
  void fault(const mail::Reply& reply);
  void give_up(const mail::Reply& reply);
  void finish();
  void close();
  void say(Awaited awaited, std::string_view command);
  void say_quit();
  [[nodiscard]] bool awaiting() const { return answered_ < awaited_.size(); }
  [[nodiscard]] bool owed() const { return awaiting() && output_.empty(); }
  [[nodiscard]] bool content_sent() const { return phase_ == Phase::verdict && output_.empty(); }

  // A delivery: client_transaction.cc.
  void start_delivery();
  void begin_transaction();
  void end_transaction(bool server_forgot);
  void write_commands();
  bool write_command();
  void append_mail();
  void take_transaction_answer(Awaited to, const mail::Reply& reply);
  void take_data_answer(const mail::Reply& reply);
  void take_verdict(const mail::Reply& reply);
  void end_content();

  const ClientLimits& limits_;
  Phase phase_ = Phase::connecting;
  ReplyReader replies_;
  std::string output_;
  std::vector<Awaited> awaited_;  ///< replies to what stands, or stood, in output(), in order
  std::size_t answered_ = 0;      ///< how many of them have come
  bool unasked_ = false;          ///< the reply that is coming in began before anything was owed
  bool quit_wanted_ = false;
  std::uint64_t progress_ = 0;
  Transcript transcript_;
  Capabilities capabilities_;

  std::optional<DeliveryState> delivery_;
  std::optional<Finished> finished_;
  bool any_delivery_ = false;

  // The transaction of the delivery in hand.
  ContentWriter writer_;
  std::uint64_t content_given_ = 0;
  std::uint32_t transactions_ = 0;
  bool needs_reset_ = false;  ///< the server may still hold the transaction before
  bool mail_said_ = false;
  bool data_said_ = false;
};

}  // namespace sternpost::smtp

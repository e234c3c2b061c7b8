// Channel between spool and bounce: a job is to write the notice about one message.
//
// Trust: bounce sees the header of the message, its envelope and what became of recipients, and answers with
// a message or none. spool gives that message its id, its null reverse-path and what it settles; bounce says
// no more than the content and, where the sender is null, who is told instead. Nothing is kept in bounce:
// jobs of a channel that is lost are given anew.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "base/codec.h"
#include "base/queue_id.h"
#include "mail/address.h"
#include "mail/outcome.h"

namespace sternpost::spool_notice {

/// Holds the recipients of one notice, and the header of one message.
inline constexpr std::size_t kMaxFrame = 4 * 1024 * 1024;
/// Of a header, so much is looked at however little of it is returned.
inline constexpr std::size_t kHeaderBytes = 64UL * 1024;
/// Recipients of one notice, in octets of their addresses and outcomes, but for one more.
inline constexpr std::size_t kRecipientsBytes = 256UL * 1024;
/// Where no message may be longer than `most`, a notice is made of no more of the header, and of recipients,
/// than these: it is longer than what it is made of, and one that does not fit could never be sent.
constexpr std::size_t header_share(std::size_t most) {
  // Encoded as quoted-printable it is three times as long.
  return most / 6;
}
constexpr std::size_t recipients_share(std::size_t most) {
  return std::min(most / 16, kRecipientsBytes);
}
/// The longest notice that is taken, in octets.
inline constexpr std::size_t kMaxNotice = 2 * 1024 * 1024;

/// Names a job on its channel.
using JobId = std::uint64_t;

struct Recipient {
  mail::Mailbox address;
  mail::RecipientOutcome last;
  static constexpr auto fields() { return std::tuple(&Recipient::address, &Recipient::last); }
};

struct Job {
  JobId job = 0;
  bool delayed = false;  ///< they are late; otherwise they failed
  QueueId id;            ///< of the message
  QueueId notice;        ///< that the notice will have
  WallTime arrival;
  mail::ReversePath reverse_path;
  std::string
      protocol;  ///< by which the message came: kProtocol of a notice, kDoubleProtocol of one about one
  std::vector<Recipient> recipients;
  WallTime until;       ///< late ones are tried until then
  std::string content;  ///< the beginning of the message: its header, as far as it is returned
  static constexpr auto fields() {
    return std::tuple(&Job::job, &Job::delayed, &Job::id, &Job::notice, &Job::arrival, &Job::reverse_path,
                      &Job::protocol, &Job::recipients, &Job::until, &Job::content);
  }
};

using ToBounce = std::variant<Job>;

/// The notice, to be queued.
struct Written {
  JobId job = 0;
  mail::Mailbox recipient;  ///< the reverse-path of the message; where that is null, who is told instead
  std::string content;
  static constexpr auto fields() { return std::tuple(&Written::job, &Written::recipient, &Written::content); }
};

/// Nobody is to be told: `why` is a sentence.
struct Nobody {
  JobId job = 0;
  std::string why;
  static constexpr auto fields() { return std::tuple(&Nobody::job, &Nobody::why); }
};

using FromBounce = std::variant<Written, Nobody>;

/// Envelope::origin's protocol of a notice to a sender, and of one to the postmaster about a notice that
/// could not be delivered. When that fails too, nobody is left to be told.
inline constexpr std::string_view kProtocol = "notice";
inline constexpr std::string_view kDoubleProtocol = "double-bounce";

}  // namespace sternpost::spool_notice

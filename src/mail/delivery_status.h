// Delivery status notifications: the message that tells a sender what became of a message. A multipart/report
// (RFC 6522) of a text for people, a message/delivery-status (RFC 3464) for programs, and the header of the
// message that it is about; never the body, which the sender has and others need not see.
//
// A notice is 7bit whatever it is about, so that every server can take it (RFC 3464 section 2).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/queue_id.h"
#include "base/time.h"
#include "mail/address.h"
#include "mail/status.h"

namespace sternpost::mail {

enum class NoticeKind : unsigned char {
  failed,   ///< it will not be tried again
  delayed,  ///< it will, and the sender need do nothing
};

/// One recipient that a notice tells of, as its last attempt left it.
struct NoticeRecipient {
  Mailbox address;
  Reply reply = {};         ///< any octets are made harmless; at most 512 octets of the text are told
  std::string remote = {};  ///< the host that said `reply`, "mx.example.org [192.0.2.1]"; empty where we did
  WallTime attempted;
};

/// What a notice is made of. `content` is borrowed for the call.
struct NoticeFacts {
  NoticeKind kind = NoticeKind::failed;
  std::string reporting_mta;  ///< our hostname
  QueueId id;                 ///< of the message that this is about
  QueueId notice;             ///< of the notice itself
  WallTime arrival;           ///< of the message that this is about
  WallTime now;
  ReversePath reverse_path;  ///< of the message that this is about
  /// At least one, and at most 1,000 by the caller's choice: the length of a notice grows with them. The text
  /// names the first 100, the report names all.
  std::vector<NoticeRecipient> recipients;
  std::optional<WallTime> will_retry_until;  ///< for delayed: when it will be given up
  std::string_view content;                  ///< the message that this is about, header and body
  std::size_t max_returned_bytes = 0;        ///< most octets of its header that are returned; at most 1 MiB
};

/// To whom a notice goes: the sender, or where there is none the postmaster (<postmaster>, RFC 5321 section
/// 4.1.1.3). The reverse-path of a notice is null, always (RFC 5321 section 4.5.5).
Mailbox notice_recipient(const ReversePath& reverse_path);

/// The complete notice, header and body, with CRLF at each line's end and no line over 998 octets. The same
/// facts give the same notice.
std::string compose_notice(const NoticeFacts& facts);

}  // namespace sternpost::mail

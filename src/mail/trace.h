// The trace field that a server adds to what it accepts (RFC 5321 section 4.4).
#pragma once

#include <string>
#include <string_view>

#include "base/queue_id.h"
#include "base/time.h"
#include "mail/address.h"

namespace sternpost::mail {

/// What the Received field says. Views and pointer are borrowed for the call.
struct TraceFacts {
  std::string_view helo;            ///< as the client gave it: any bytes, at most 255 of them are used
  std::string_view client_address;  ///< textual IP address, without port and brackets
  std::string_view by;              ///< our hostname
  std::string_view with;            ///< "ESMTP" or "SMTP"
  QueueId id;
  const Mailbox* recipient =
      nullptr;  ///< only where it is the only one, so that none is disclosed to another
  WallTime at;
};

/// The whole field, folded, with CRLF at each line's end:
/// "Received: from HELO ([IP])\r\n\tby HOST with ESMTP id ID\r\n\tfor <rcpt>; date\r\n".
std::string received_field(const TraceFacts& facts);

/// "[192.0.2.1]" or "[IPv6:2001:db8::1]" (RFC 5321 section 4.1.3) for a textual IP address.
std::string address_literal(std::string_view ip_address);

}  // namespace sternpost::mail

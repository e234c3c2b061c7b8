// What the SMTP client is told of the configuration.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/time.h"

namespace sternpost::smtp {

enum class ClientProtocol : unsigned char { smtp, lmtp };

/// Every bound of a connection. The times are those of RFC 5321 section 4.5.3.2, or longer where others wait
/// longer in practice: how long the client waits without any progress.
struct ClientLimits {
  std::string helo;  ///< our name in EHLO: a domain or an address literal, printable ASCII
  ClientProtocol protocol = ClientProtocol::smtp;

  Seconds greeting{300};
  Seconds hello{300};
  Seconds mail{300};
  Seconds rcpt{300};
  Seconds data_init{120};
  Seconds data_block{180};  ///< for each piece of content
  Seconds data_end{600};
  Seconds reset{20};
  Seconds quit{5};

  std::size_t max_unwritten = 64UL * 1024;       ///< octets of output before more content waits
  std::uint32_t max_pipelined_recipients = 100;  ///< RCPT commands before their replies are awaited
  std::uint32_t max_transactions = 50;           ///< for one delivery, where the server takes few recipients
};

}  // namespace sternpost::smtp

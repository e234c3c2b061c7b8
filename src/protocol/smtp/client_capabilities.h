// What a server offers in its reply to EHLO or LHLO (RFC 5321 section 4.1.1.1).
#pragma once

#include <cstdint>
#include <string_view>

namespace sternpost::smtp {

/// Only what the client makes use of. Without EHLO nothing is offered.
struct Capabilities {
  bool pipelining = false;           ///< RFC 2920
  bool eight_bit = false;            ///< 8BITMIME, RFC 6152
  bool size = false;                 ///< RFC 1870
  std::uint64_t max_message = 0;     ///< octets by SIZE; 0: no fixed limit
  std::uint32_t max_recipients = 0;  ///< of one transaction, by LIMITS RCPTMAX (RFC 9422); 0: not said

  bool operator==(const Capabilities&) const = default;
};

/// Reads the lines of the reply, each ended by LF, without codes. The first is the server's name and no
/// keyword. Keywords are taken in any case; what is malformed or unknown is as if it were not there.
Capabilities parse_capabilities(std::string_view lines);

}  // namespace sternpost::smtp

// From a packet of the DNS to typed records. Pure; the packet may be anything.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "service/dns/protocol.h"

namespace sternpost::dns {

/// Types of records (RFC 1035 section 3.2.2, RFC 3596 section 2.1).
enum class RecordType : std::uint16_t { a = 1, mx = 15, aaaa = 28 };

/// What DNSSEC says of an answer (RFC 4033 section 5), with the numbers of libunbound's callback.
enum class Security : unsigned char { insecure = 0, bogus = 1, secure = 2 };

/// An answer as libunbound gives it. The views are borrowed.
struct RawAnswer {
  int rcode = 0;                 ///< other than 0: it has no packet
  std::string_view packet = {};  ///< in wire format
  Security security = Security::insecure;
  std::string_view why_bogus = {};
};

/// The answer to the question for records of `type` at `name` (see is_dns_name), with request 0. Records
/// count only where they stand at the end of the chain of aliases (CNAME, RFC 1034 section 3.6.2) that begins
/// at `name`; one that is malformed, cut short, endless or to another question is `unavailable`.
Answer parse_answer(const RawAnswer& raw, std::string_view name, RecordType type);

/// One answer of the two for IPv4 and IPv6 addresses of the same name.
///
/// Found where either is: what one family lacks must not keep mail from the other. Nothing found is bogus
/// where either is, or else unavailable where either is, and no_name only where both are. Secure where each
/// of the two that says something is: a half that is unavailable or bogus says nothing, and does not take
/// from the other its security, so that who suppresses it cannot switch off DANE (RFC 7672 section 2.1).
Answer merge_addresses(Answer&& a, Answer&& aaaa);

}  // namespace sternpost::dns

// From what the DNS says of a domain to the site that its mail goes to (RFC 5321 section 5.1).
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "mail/status.h"
#include "route/site.h"

namespace sternpost::route {

enum class LookupOutcome : unsigned char {
  found,
  no_data,      ///< the name exists, without MX records
  no_name,      ///< there is no such name
  unavailable,  ///< no answer for now
  bogus,        ///< DNSSEC says that the answer is forged
};

struct MxHost {
  std::uint16_t preference = 0;
  std::string name;  ///< in lower case without a final dot; empty for the root
  bool operator==(const MxHost&) const = default;
};

struct MxAnswer {
  LookupOutcome outcome = LookupOutcome::unavailable;
  bool secure = false;
  std::vector<MxHost> hosts;
  std::string why;  ///< of unavailable and bogus
};

/// What is looked up, and how the hosts are connected to.
struct MxQuestion {
  std::string_view domain;
  std::uint16_t port = 25;
  std::string_view own_name;  ///< our hostname: where it is an MX host, only better ones are tried
  std::vector<std::string> sources;
  std::string_view next_hop_of;  ///< the rule that names the domain; empty where it is that of a recipient
};

/// The site, or why there is none, now (4xx) or for good (5xx): the reply is meant for the sender. RFC 7505:
/// a null MX says that the domain takes no mail. Where a rule names the domain, that it takes none is 4.4.4,
/// for the administrator can mend the rule.
std::expected<Site, mail::Reply> site_of_mx(const MxQuestion& question, const MxAnswer& answer);

}  // namespace sternpost::route

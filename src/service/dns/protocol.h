// Channel between dns and who asks it: what the DNS says about a name, and whether DNSSEC vouches for it.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "base/codec.h"
#include "base/time.h"

namespace sternpost::dns {

/// The most MX records of an answer: the best ones, by preference.
inline constexpr std::size_t kMostMx = 64;
/// The most addresses of an answer, half of them of each family.
inline constexpr std::size_t kMostAddresses = 64;
/// Octets of Answer::why.
inline constexpr std::size_t kLongestWhy = 512;
/// Holds the largest answer: kMostMx names and what else is in it.
inline constexpr std::size_t kMaxFrame = 64 * 1024;
/// How long an asker waits for an answer, the restart of dns included. What dns does not answer before, it
/// does not answer at all but as unavailable.
inline constexpr Seconds kAskersPatience{60};

enum class Kind : unsigned char {
  mx,       ///< the MX records
  address,  ///< A and AAAA records together
};

/// `name` is a domain name in lower case without the trailing dot (see is_dns_name). Another one is a breach
/// of the protocol.
struct Lookup {
  std::uint64_t request = 0;
  Kind kind = Kind::mx;
  std::string name;
  static constexpr auto fields() { return std::tuple(&Lookup::request, &Lookup::kind, &Lookup::name); }
};

using ToDns = std::variant<Lookup>;

enum class Outcome : unsigned char {
  found,
  no_data,      ///< the name exists and has no such records
  no_name,      ///< no such domain (RFC 8020: and nothing below it)
  unavailable,  ///< no answer from the servers, or not in time: try again later
  bogus,        ///< an answer that DNSSEC proves to be wrong: nothing in it may be believed
};

/// `host` "" is the root: with preference 0 and alone, a null MX (RFC 7505).
struct MxRecord {
  std::uint16_t preference = 0;
  std::string host;
  bool operator==(const MxRecord&) const = default;
  auto operator<=>(const MxRecord&) const = default;
  static constexpr auto fields() { return std::tuple(&MxRecord::preference, &MxRecord::host); }
};

/// The answer to the Lookup with this number. Names are in lower case, without the trailing dot.
struct Answer {
  std::uint64_t request = 0;
  Outcome outcome = Outcome::unavailable;
  /// Validated by DNSSEC, the whole chain of aliases included; of a negative answer, its proof.
  bool secure = false;
  std::uint32_t ttl = 0;     ///< seconds for which it holds, also for a negative answer (RFC 2308)
  std::string canonical;     ///< where the chain of aliases ends; the name itself where there is none
  std::vector<MxRecord> mx;  ///< by preference, then name. None where no record names a host that can be
  std::vector<std::string> addresses;  ///< textual, IPv6 before IPv4
  std::string why;                     ///< a sentence, where the outcome is unavailable or bogus
  bool operator==(const Answer&) const = default;
  static constexpr auto fields() {
    return std::tuple(&Answer::request, &Answer::outcome, &Answer::secure, &Answer::ttl, &Answer::canonical,
                      &Answer::mx, &Answer::addresses, &Answer::why);
  }
};

using FromDns = std::variant<Answer>;

}  // namespace sternpost::dns

namespace sternpost {
template <>
inline constexpr unsigned kEnumBound<dns::Kind> = 2;
template <>
inline constexpr unsigned kEnumBound<dns::Outcome> = 5;
}  // namespace sternpost

// One entry of the registry: all that is known about one configuration parameter.
#pragma once

#include <cstdint>
#include <string_view>

namespace sternpost::config {

/// What a parameter holds, which decides how it is read, checked and printed.
enum class Type : unsigned char {
  boolean,
  count,         ///< a whole number
  size,          ///< octets: a number, or text with a unit, "25 MiB"
  duration,      ///< whole seconds: a number, or text with units, "1h30m"
  milliseconds,  ///< a duration that may be shorter than a second; a plain number is seconds
  choice,        ///< one of the words in `choices`
  hostname,      ///< a domain name, no address literal
  domains,       ///< a list of Domains of RFC 5321
  networks,      ///< a list of "192.0.2.0/24", "2001:db8::/32" or single addresses
  endpoints,     ///< a list of "192.0.2.1:25", "[2001:db8::1]:25"
  addresses,     ///< a list of IP addresses
  next_hop,      ///< where mail is handed on to: "relay.example.net", "[192.0.2.1]:25"; may be empty
  path,          ///< a folder by its absolute path
  folder,        ///< a folder by its absolute path, or by its path below the state directory
  user_part,     ///< the local part of an address
  account,       ///< a user or group of the system, by name or number; may be empty
  delimiter,     ///< one punctuation character, or nothing
  mailboxes,     ///< a table: address to folder
  routes,        ///< a table: domain to next hop
};

/// How a changed value takes effect.
enum class Reload : unsigned char { live, restart };

/// Limits of the value: of a number (octets, seconds, milliseconds), of a text's octets, of a list's entries.
struct Bounds {
  std::uint64_t least = 0;
  std::uint64_t most = 0;
};

struct Parameter {
  std::string_view key = {};  ///< dotted path in the file: "smtp.max_message"
  Type type = Type::boolean;
  /// The default as an administrator would write it, without quotes; the entries of a list separated by
  /// spaces.
  std::string_view initial = {};
  Bounds bounds = {};
  std::string_view choices = {};  ///< words separated by spaces
  bool required = false;          ///< no default: must be in the file, unless the setup supplies it
  Reload reload = Reload::live;
  std::string_view seen_by = {};  ///< the compartments whose slice carries it
  std::string_view summary = {};  ///< one sentence
  std::string_view details = {};  ///< what to know before changing it; may be empty
  std::string_view since = "0.1";
};

inline constexpr std::uint64_t kKiB = 1024;
inline constexpr std::uint64_t kMiB = 1024 * kKiB;
inline constexpr std::uint64_t kGiB = 1024 * kMiB;
inline constexpr std::uint64_t kTiB = 1024 * kGiB;
inline constexpr std::uint64_t kMinute = 60;
inline constexpr std::uint64_t kHour = 60 * kMinute;
inline constexpr std::uint64_t kDay = 24 * kHour;

}  // namespace sternpost::config

#include "service/dns/answer_parser.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/dns_name.h"
#include "base/printable.h"
#include "service/dns/name.h"

namespace sternpost::dns {
namespace {

/// The most aliases that are followed.
constexpr int kMostAliases = 16;
/// The longest time for which an answer is believed (RFC 8767 section 4): a week.
constexpr std::uint32_t kLongestTtl = 7 * 86'400;

Answer unavailable(std::string_view name, std::string why) {
  Answer answer;
  answer.canonical = name;
  answer.why = std::move(why);
  return answer;
}

std::string_view rcode_text(int rcode) {
  switch (rcode) {
    case ns_r_formerr:
      return "FORMERR";
    case ns_r_servfail:
      return "SERVFAIL";
    case ns_r_notimpl:
      return "NOTIMP";
    case ns_r_refused:
      return "REFUSED";
    default:
      return "another error";
  }
}

std::uint32_t bounded_ttl(std::uint32_t ttl) {
  return ttl > kLongestTtl ? kLongestTtl : ttl;
}

struct Record {
  std::uint16_t type = 0;
  std::uint32_t ttl = 0;
  std::string_view data;
};

/// Records of the answer section by the normalised name of their owner.
using Records = std::multimap<std::string, Record, std::less<>>;

std::string_view data_of(const ns_rr& record) {
  return {reinterpret_cast<const char*>(ns_rr_rdata(record)), static_cast<std::size_t>(ns_rr_rdlen(record))};
}

class Packet {
 public:
  /// Nothing where it is not a whole packet.
  static std::optional<Packet> read(std::string_view bytes) {
    Packet packet;
    // ns_initparse takes an int.
    constexpr std::size_t kLongest = 65'535;
    if (bytes.size() > kLongest) return std::nullopt;
    const auto* begin = reinterpret_cast<const unsigned char*>(bytes.data());
    if (::ns_initparse(begin, static_cast<int>(bytes.size()), &packet.message_) != 0) return std::nullopt;
    return packet;
  }

  [[nodiscard]] int rcode() { return ns_msg_getflag(message_, ns_f_rcode); }
  [[nodiscard]] bool truncated() { return ns_msg_getflag(message_, ns_f_tc) != 0; }

  /// Whether it answers this question and no other.
  bool asks(std::string_view name, RecordType type) {
    ns_rr question{};
    return ns_msg_count(message_, ns_s_qd) == 1 && ::ns_parserr(&message_, ns_s_qd, 0, &question) == 0 &&
           normalized(ns_rr_name(question)) == name && ns_rr_class(question) == ns_c_in &&
           ns_rr_type(question) == static_cast<int>(type);
  }

  /// Nothing where a record is malformed.
  std::optional<Records> answers() {
    Records records;
    for (int i = 0; i < ns_msg_count(message_, ns_s_an); ++i) {
      ns_rr record{};
      if (::ns_parserr(&message_, ns_s_an, i, &record) != 0) return std::nullopt;
      if (ns_rr_class(record) != ns_c_in) continue;
      records.emplace(normalized(ns_rr_name(record)),
                      Record{static_cast<std::uint16_t>(ns_rr_type(record)),
                             bounded_ttl(static_cast<std::uint32_t>(ns_rr_ttl(record))), data_of(record)});
    }
    return records;
  }

  /// How long the absence of what was asked for holds: by the SOA record of the authority section (RFC 2308
  /// section 5), and not at all without one.
  std::uint32_t negative_ttl() {
    constexpr std::size_t kNumbers = 20;  // serial, refresh, retry, expire, minimum
    for (int i = 0; i < ns_msg_count(message_, ns_s_ns); ++i) {
      ns_rr record{};
      if (::ns_parserr(&message_, ns_s_ns, i, &record) != 0) return 0;
      if (ns_rr_type(record) != ns_t_soa) continue;
      const auto data = data_of(record);
      if (data.size() < kNumbers) return 0;
      const auto minimum = ::ns_get32(ns_rr_rdata(record) + data.size() - 4);
      return bounded_ttl(
          std::min(static_cast<std::uint32_t>(ns_rr_ttl(record)), static_cast<std::uint32_t>(minimum)));
    }
    return 0;
  }

  /// The name at `data`, which is a piece of this packet; nothing where there is none.
  std::optional<std::string> name_at(std::string_view data) {
    std::array<char, NS_MAXDNAME> text{};
    const auto* at = reinterpret_cast<const unsigned char*>(data.data());
    const int used =
        ::ns_name_uncompress(ns_msg_base(message_), ns_msg_end(message_), at, text.data(), text.size());
    if (used < 0 || static_cast<std::size_t>(used) > data.size()) return std::nullopt;
    return normalized(text.data());
  }

 private:
  Packet() = default;

  ns_msg message_{};
};

/// Where the aliases lead from `name`; lowers `ttl` to that of each. Nothing where one is malformed or there
/// are too many.
std::optional<std::string> follow_aliases(Packet& packet, const Records& records, std::string name,
                                          std::uint32_t& ttl) {
  for (int steps = 0; steps <= kMostAliases; ++steps) {
    const auto [begin, end] = records.equal_range(name);
    const auto alias =
        std::find_if(begin, end, [](const auto& entry) { return entry.second.type == ns_t_cname; });
    if (alias == end) return name;
    auto target = packet.name_at(alias->second.data);
    if (!target) return std::nullopt;
    ttl = std::min(ttl, alias->second.ttl);
    name = std::move(*target);
  }
  return std::nullopt;
}

/// The record's preference and host; nothing where it is malformed.
std::optional<MxRecord> mx_of(Packet& packet, std::string_view data) {
  constexpr std::size_t kPreference = 2;
  if (data.size() <= kPreference) return std::nullopt;
  auto host = packet.name_at(data.substr(kPreference));
  if (!host) return std::nullopt;
  const auto preference = ::ns_get16(reinterpret_cast<const unsigned char*>(data.data()));
  return MxRecord{static_cast<std::uint16_t>(preference), std::move(*host)};
}

std::optional<std::string> address_of(RecordType type, std::string_view data) {
  const bool v4 = type == RecordType::a;
  if (data.size() != (v4 ? sizeof(in_addr) : sizeof(in6_addr))) return std::nullopt;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (::inet_ntop(v4 ? AF_INET : AF_INET6, data.data(), text.data(), text.size()) == nullptr)
    return std::nullopt;
  return text.data();
}

/// An IPv4 address written as one of IPv6 (RFC 4291 section 2.5.5.2). None belongs in the DNS: a connection
/// there would be one of IPv4, to an address that is not known again for what it is.
bool is_mapped(RecordType type, std::string_view data) {
  using namespace std::string_view_literals;
  constexpr auto kPrefix = "\0\0\0\0\0\0\0\0\0\0\xff\xff"sv;
  return type == RecordType::aaaa && data.size() == sizeof(in6_addr) && data.starts_with(kPrefix);
}

/// Adds one record; false where it is malformed.
bool add_record(Packet& packet, RecordType type, std::string_view data, Answer& answer) {
  if (type == RecordType::mx) {
    auto mx = mx_of(packet, data);
    if (!mx) return false;
    // A host that no lookup could name is none.
    if (mx->host.empty() || is_dns_name(mx->host)) answer.mx.push_back(std::move(*mx));
    return true;
  }
  auto address = address_of(type, data);
  if (!address) return false;
  answer.addresses.push_back(std::move(*address));
  return true;
}

template <class T>
void sort_and_bound(std::vector<T>& list, std::size_t most) {
  std::ranges::sort(list);
  const auto twice = std::ranges::unique(list);
  list.erase(twice.begin(), twice.end());
  if (list.size() > most) list.resize(most);
}

/// Fills in what the answer section holds; false where it is malformed.
bool take_records(Packet& packet, std::string_view name, RecordType type, Answer& answer) {
  const auto records = packet.answers();
  if (!records) return false;
  answer.ttl = kLongestTtl;
  auto canonical = follow_aliases(packet, *records, std::string(name), answer.ttl);
  if (!canonical) return false;
  answer.canonical = std::move(*canonical);
  const auto [begin, end] = records->equal_range(answer.canonical);
  bool any = false;
  for (auto entry = begin; entry != end; ++entry) {
    if (entry->second.type != static_cast<std::uint16_t>(type)) continue;
    if (is_mapped(type, entry->second.data)) continue;
    if (!add_record(packet, type, entry->second.data, answer)) return false;
    answer.ttl = std::min(answer.ttl, entry->second.ttl);
    any = true;
  }
  sort_and_bound(answer.mx, kMostMx);
  sort_and_bound(answer.addresses, kMostAddresses / 2);  // of each family
  answer.outcome = any ? Outcome::found : Outcome::no_data;
  return true;
}

bool says_something(const Answer& answer) {
  return answer.outcome != Outcome::unavailable && answer.outcome != Outcome::bogus;
}

/// The outcome of two, neither of which is found.
Outcome merge_absent(Outcome a, Outcome b) {
  for (const auto outcome : {Outcome::bogus, Outcome::unavailable, Outcome::no_data}) {
    if (a == outcome || b == outcome) return outcome;
  }
  return Outcome::no_name;
}

}  // namespace

Answer parse_answer(const RawAnswer& raw, std::string_view name, RecordType type) {
  if (raw.security == Security::bogus) {
    auto answer =
        unavailable(name, "DNSSEC proves the answer wrong: " + printable(raw.why_bogus, kLongestWhy));
    answer.why.resize(std::min(answer.why.size(), kLongestWhy));
    answer.outcome = Outcome::bogus;
    return answer;
  }
  if (raw.rcode != 0 && raw.rcode != ns_r_nxdomain) {
    return unavailable(name, fmt::format("no server gave an answer ({})", rcode_text(raw.rcode)));
  }
  auto packet = Packet::read(raw.packet);
  if (!packet || !packet->asks(name, type)) return unavailable(name, "the answer is malformed");
  if (packet->truncated()) return unavailable(name, "the answer is too large");
  const int rcode = packet->rcode();
  if (rcode != ns_r_noerror && rcode != ns_r_nxdomain) {
    return unavailable(name, fmt::format("no server gave an answer ({})", rcode_text(rcode)));
  }
  Answer answer;
  if (!take_records(*packet, name, type, answer)) return unavailable(name, "the answer is malformed");
  answer.secure = raw.security == Security::secure;
  if (answer.outcome == Outcome::found) return answer;
  if (rcode == ns_r_nxdomain) answer.outcome = Outcome::no_name;
  answer.ttl = std::min(answer.ttl, packet->negative_ttl());
  return answer;
}

Answer merge_addresses(Answer&& a, Answer&& aaaa) {
  const bool found = a.outcome == Outcome::found || aaaa.outcome == Outcome::found;
  Answer merged;
  merged.outcome = found ? Outcome::found : merge_absent(a.outcome, aaaa.outcome);
  merged.secure = says_something(merged);
  merged.ttl = says_something(merged) ? kLongestTtl : 0;
  for (auto* half : {&aaaa, &a}) {
    if (half->outcome == merged.outcome && merged.canonical.empty()) {
      merged.canonical = half->canonical;
      merged.why = half->why;
    }
    if (says_something(merged) && says_something(*half)) {
      merged.secure = merged.secure && half->secure;
      merged.ttl = std::min(merged.ttl, half->ttl);
    }
    if (half->outcome != Outcome::found) continue;
    std::ranges::move(half->addresses, std::back_inserter(merged.addresses));
  }
  return merged;
}

}  // namespace sternpost::dns

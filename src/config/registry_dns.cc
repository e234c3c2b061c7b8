// Parameters of the DNS: whom to ask, and what is believed.
#include "config/registry.h"

namespace sternpost::config {
namespace {

constexpr Parameter kParameters[] = {
    {.key = "dns.servers",
     .type = Type::endpoints,
     .initial = "",
     .bounds = {0, 16},
     .seen_by = "dns master",
     .summary =
         "Recursive servers that are asked, such as [\"192.0.2.53:53\"]; empty asks the DNS itself, from "
         "the root downwards.",
     .details =
         "/etc/resolv.conf is not read. What the servers answer is validated here all the same, so they must "
         "pass DNSSEC records on: behind one that strips them every signed domain is unreachable. Whoever "
         "controls the way to them sees which domains this host sends mail to."},
    {.key = "dns.trust_anchor",
     .type = Type::path,
     .initial = "/usr/share/dns/root.key",
     .bounds = {1, 1'024},
     .seen_by = "master",
     .summary =
         "The file with the keys from which DNSSEC validation starts: DS or DNSKEY records, one to a line.",
     .details =
         "The default is of Debian's package dns-root-data, which is updated when the keys of the root "
         "change. The file is opened when the server starts and at each reload."},
    {.key = "dns.cache",
     .type = Type::size,
     .initial = "16 MiB",
     .bounds = {kMiB, kGiB},
     .seen_by = "dns",
     .summary = "How much memory the answers of the DNS may take; a reload empties it."},
    {.key = "dns.timeout",
     .type = Type::duration,
     .initial = "30s",
     .bounds = {1, 55},
     .seen_by = "dns",
     .summary = "How long a lookup may take; after that it counts as a temporary failure.",
     .details =
         "The servers are asked on, so that the next lookup may find the answer in the cache. At most 512 "
         "lookups are under way; the time of one that waits for its turn begins with that, and after 55s in "
         "all it counts as a temporary failure too."},
};

}  // namespace

Topic dns_topic() {
  return {"DNS", "Where mail to other domains goes is looked up by a validating resolver of Sternpost's own.",
          kParameters};
}

}  // namespace sternpost::config

// Parameters of delivery to other servers: routes, and the SMTP and LMTP client.
#include "config/registry.h"

namespace sternpost::config {
namespace {

constexpr Parameter kRoutes[] = {
    {.key = "routes",
     .type = Type::routes,
     .bounds = {0, 100'000},
     .seen_by = "router",
     .summary = "Next hops of domains whose mail is handed on.",
     .details =
         "The key is a domain, \".example.org\" for all domains below it, or \"*\" for all others; the "
         "nearest one counts. "
         "The value is a next hop as smarthost has it; \"lmtp:[192.0.2.1]:24\" and "
         "\"lmtp:unix:/run/dovecot/lmtp\" "
         "speak LMTP. { to = \"[192.0.2.1]\", from = [\"192.0.2.9\"] } also names the address that "
         "connections come from, "
         "one for each family. A route does not make this server accept mail for a domain: relay_domains and "
         "relay_clients do. The domains whose mail is delivered here have no routes."},
};

constexpr Parameter kClient[] = {
    {.key = "smtp_client.source",
     .type = Type::addresses,
     .bounds = {0, 2},
     .seen_by = "router",
     .summary =
         "The addresses of this host that connections to other servers come from, one for each family.",
     .details = "None: the kernel chooses. Routes may name others. Other servers hold the address against "
                "the hostname."},
    {.key = "smtp_client.mx_port",
     .type = Type::count,
     .initial = "25",
     .bounds = {1, 65'535},
     .seen_by = "master router",
     .summary = "The port at which MX hosts are connected to.",
     .details = "On the Internet it is 25 everywhere; another one is for private networks and tests."},
    {.key = "smtp_client.own_addresses",
     .type = Type::addresses,
     .bounds = {0, 64},
     .seen_by = "smtp",
     .summary = "Addresses under which others reach this server, beside those of smtp.listen.",
     .details = "For servers behind a translation of addresses. Mail whose MX hosts lead to one of them goes "
                "in a circle, and is "
                "returned."},
    {.key = "smtp_client.site_concurrency",
     .type = Type::count,
     .initial = "20",
     .bounds = {1, 1'000},
     .seen_by = "qmgr",
     .summary = "The most connections to one destination at the same time.",
     .details = "It begins with five and grows while the destination takes mail, up to this."},
    {.key = "smtp_client.max_sessions",
     .type = Type::count,
     .initial = "1000",
     .bounds = {1, 30'000},
     .seen_by = "smtp",
     .summary = "The most connections to all destinations together."},
    {.key = "smtp_client.max_messages",
     .type = Type::count,
     .initial = "100",
     .bounds = {1, 100'000},
     .seen_by = "smtp",
     .summary = "After so many messages a connection is closed, and the next one may go to another host."},
    {.key = "smtp_client.idle_time",
     .type = Type::duration,
     .initial = "2s",
     .bounds = {0, 300},
     .seen_by = "smtp",
     .summary = "How long a connection without work is kept for the next message."},
    {.key = "smtp_client.connect_timeout",
     .type = Type::duration,
     .initial = "30s",
     .bounds = {1, 600},
     .seen_by = "smtp",
     .summary = "How long a connection may take to come about before the next address is tried."},
    {.key = "smtp_client.reply_timeout",
     .type = Type::duration,
     .initial = "5m",
     .bounds = {1, 3'600},
     .seen_by = "smtp",
     .summary = "How long a server may take for its greeting and for its replies to EHLO, MAIL and RCPT.",
     .details = "RFC 5321 section 4.5.3.2 asks for at least 5 minutes."},
    {.key = "smtp_client.data_timeout",
     .type = Type::duration,
     .initial = "2m",
     .bounds = {1, 3'600},
     .seen_by = "smtp",
     .summary = "How long a server may take for its reply to DATA, and for each block of the content.",
     .details = "RFC 5321 section 4.5.3.2 asks for at least 2 and 3 minutes; blocks get half as much again."},
    {.key = "smtp_client.final_timeout",
     .type = Type::duration,
     .initial = "10m",
     .bounds = {1, 3'600},
     .seen_by = "smtp",
     .summary = "How long a server may take for its reply to a whole message.",
     .details = "RFC 5321 section 4.5.3.2.6 asks for at least 10 minutes: a server that is given up too "
                "early has taken the "
                "message all the same, and gets it twice."},
};

}  // namespace

Topic routes_topic() {
  return {"Routes", "Where mail goes that is not delivered here: domain = \"next hop\".", kRoutes};
}

Topic smtp_client_topic() {
  return {"Delivery to other servers", "How mail is handed on by SMTP and LMTP.", kClient};
}

}  // namespace sternpost::config

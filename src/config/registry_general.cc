// Parameters at the top of the file: what this server is.
#include "config/registry.h"

namespace sternpost::config {
namespace {

constexpr Parameter kParameters[] = {
    {.key = "setup",
     .type = Type::choice,
     .choices = "internet-site local-only",
     .required = true,
     .summary = "The standard setup that every other key only changes.",
     .details =
         "internet-site takes mail for its domains from the whole network on port 25. local-only listens on "
         "the loopback addresses alone, with one worker and smaller limits."},
    {.key = "hostname",
     .type = Type::hostname,
     .bounds = {1, 255},
     .required = true,
     .seen_by = "smtpd router virtual smtp bounce",
     .summary = "The name of this host in greetings and trace fields.",
     .details =
         "Should be a name that the DNS resolves to this host's address, for other servers compare the two."},
    {.key = "domains",
     .type = Type::domains,
     .bounds = {1, 10'000},
     .required = true,
     .seen_by = "router virtual",
     .summary = "The domains whose mail is delivered here.",
     .details = "Mail for any other domain is refused to strangers; see relay_domains and relay_clients. "
                "With setup local-only the default is the hostname alone."},
    {.key = "virtual_domains",
     .type = Type::domains,
     .bounds = {0, 10'000},
     .seen_by = "router virtual",
     .summary = "More domains whose mail is delivered here, to mailboxes that mailboxes.list names.",
     .details =
         "For a server whose domains belong to the system's users (mailboxes.source = \"system\") and that "
         "has others beside them. Where all mailboxes are listed, name the domains in domains."},
    {.key = "relay_domains",
     .type = Type::domains,
     .bounds = {0, 10'000},
     .seen_by = "router",
     .summary = "Domains whose mail is taken from everybody and handed on: this server is their backup MX or "
                "their gateway.",
     .details =
         "Where to is what the table [routes] or the DNS says. Every recipient of such a domain is taken, "
         "and "
         "mail that the next hop refuses is returned to senders who may be forged: where you can, route to a "
         "server that refuses early."},
    {.key = "smarthost",
     .type = Type::next_hop,
     .bounds = {0, 512},
     .seen_by = "router",
     .summary = "The next hop of all mail that is not delivered here and has no route of its own.",
     .details =
         "\"relay.example.net\" goes to that domain's MX hosts, \"[relay.example.net]\" to the host itself; "
         "\":587\" behind it names another port. Empty: the DNS says where to. A line \"*\" in [routes] says "
         "the same, "
         "and wins."},
    {.key = "relay_clients",
     .type = Type::networks,
     .initial = "127.0.0.0/8 ::1/128",
     .bounds = {0, 1'000},
     .seen_by = "router",
     .summary = "The networks whose clients may send to other domains.",
     .details =
         "Whoever can connect from one of these can send mail in this server's name. Never name a network "
         "that strangers can reach this server from."},
    {.key = "postmaster",
     .type = Type::user_part,
     .initial = "postmaster",
     .bounds = {1, 64},
     .seen_by = "router virtual",
     .summary = "The user that receives mail for postmaster at each of the domains (RFC 5321 section 4.5.1).",
     .details =
         "The mailbox must exist. A server that does not take mail for postmaster is soon on block lists."},
    {.key = "state_directory",
     .type = Type::path,
     .initial = "/var/lib/sternpost",
     .bounds = {2, 95},
     .reload = Reload::restart,
     .seen_by = "master",
     .summary = "The folder of the queue, the log and the control socket.",
     .details =
         "The option --state DIR wins over it and puts every path below DIR. The folder must not be shared "
         "by two instances, and its file system must honour fdatasync. Under systemd another folder than the "
         "default must be in the unit's ReadWritePaths."},
};

}  // namespace

Topic general_topic() {
  return {"General", "These keys stand at the top of the file, before the first table.", kParameters};
}

}  // namespace sternpost::config

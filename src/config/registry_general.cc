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
     .seen_by = "smtpd router virtual",
     .summary = "The name of this host in greetings and trace fields.",
     .details =
         "Should be a name that the DNS resolves to this host's address, for other servers compare the two."},
    {.key = "domains",
     .type = Type::domains,
     .bounds = {1, 10'000},
     .required = true,
     .seen_by = "router virtual",
     .summary = "The domains whose mail is delivered here.",
     .details =
         "Mail for any other domain is refused. With setup local-only the default is the hostname alone."},
    {.key = "relay_clients",
     .type = Type::networks,
     .initial = "127.0.0.0/8 ::1/128",
     .bounds = {0, 1'000},
     .seen_by = "router",
     .summary = "The networks whose clients may send to other domains.",
     .details =
         "Whoever can connect from one of these can send mail in this server's name. Never name a network "
         "that strangers can reach this server from. This version delivers to its own domains only, so that "
         "mail "
         "for others is refused from these networks, too."},
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

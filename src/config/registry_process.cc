// Parameters of the instance: its processes, their confinement and who may command them.
#include "config/registry.h"

namespace sternpost::config {
namespace {

constexpr Parameter kParameters[] = {
    {.key = "admin.control_group",
     .type = Type::account,
     .initial = "",
     .bounds = {0, 64},
     .reload = Reload::restart,
     .seen_by = "master",
     .summary = "The group, by name or gid, that may use the control socket beside root; empty for none.",
     .details = "Its members can list, hold and delete any message in the queue, and stop the server."},
    {.key = "admin.max_connections",
     .type = Type::count,
     .initial = "16",
     .bounds = {1, 200},
     .seen_by = "admin",
     .summary = "The most connections to the control socket at the same time; further ones are closed."},
    {.key = "sandbox.mode",
     .type = Type::choice,
     .initial = "full",
     .choices = "full weaker",
     .reload = Reload::restart,
     .seen_by = "master",
     .summary = "Whether to refuse to start where the kernel lacks a layer of the confinement.",
     .details =
         "With weaker the server runs with the layers that there are. `sternpost show plan` tells which."},
    {.key = "sandbox.uid_base",
     .type = Type::count,
     .initial = "70000",
     .bounds = {1'000, 2'000'000'000},
     .reload = Reload::restart,
     .seen_by = "master",
     .summary = "The first of 64 uids and gids that the compartments take when started by root.",
     .details =
         "Nothing else on this host may use them: no user, no container, no range of /etc/subuid. After a "
         "change the files in the state directory must be given to the new owners. The process that reads "
         "the "
         "configuration at the start runs as 70001 whatever this says, for it is the one that finds it out."},
    {.key = "processes.restart_delay",
     .type = Type::milliseconds,
     .initial = "1s",
     .bounds = {1, 600'000},
     .seen_by = "master",
     .summary = "How long to wait before a compartment that keeps ending is started again."},
    {.key = "processes.drain_timeout",
     .type = Type::duration,
     .initial = "30s",
     .bounds = {1, kHour},
     .seen_by = "master",
     .summary = "How long a compartment may take to finish its work at stop; after that it is killed.",
     .details = "Killing loses no mail; a delivery that was in hand at that instant may happen twice. Under "
                "systemd the unit's TimeoutStopSec (60 s) must be longer than this."},
};

}  // namespace

Topic process_topic() {
  return {"Processes and confinement", "Who may command the instance, and how its processes are kept apart.",
          kParameters};
}

}  // namespace sternpost::config
